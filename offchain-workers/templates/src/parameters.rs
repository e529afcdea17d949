//! Parameters: reading, checking, filling in what was not given.

use crate::Template;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::{Map, Value};
use std::fmt;

/// Longest text value in characters, whatever the schema says.
const MAX_TEXT: usize = 4096;
/// Longest name of a parameter.
const MAX_NAME: usize = 64;
/// Most bytes of all parameters as JSON. Each value is also an environment variable, of which a process gets
/// about 128 KiB apiece.
const MAX_JSON: usize = 64 << 10;

/// What is wrong with one parameter, resource or input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}; {remedy}")]
pub struct ParameterError {
    /// Which one.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl ParameterError {
    pub(crate) fn new(field: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// Everything that is wrong with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ParameterErrors(pub Vec<ParameterError>);

impl fmt::Display for ParameterErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Parameters that passed their template's schema, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters(pub(crate) Map<String, Value>);

impl Parameters {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of them by name.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The value of a numeric parameter.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }
}

/// Splits `name=value` arguments without knowing a template: every value is text.
pub fn parse_cli_params<S: AsRef<str>>(
    arguments: &[S],
) -> Result<Map<String, Value>, ParameterErrors> {
    let mut map = Map::new();
    let mut errors = Vec::new();
    for argument in arguments {
        let argument = argument.as_ref();
        match argument.split_once('=') {
            Some((name, _)) if name.trim().is_empty() => {
                errors.push(ParameterError::new(
                    argument,
                    "has no name",
                    "write it as name=value",
                ));
            }
            Some((name, value)) => {
                let name = name.trim();
                if map
                    .insert(name.into(), Value::String(value.into()))
                    .is_some()
                {
                    errors.push(ParameterError::new(name, "is given twice", "give it once"));
                }
            }
            None => errors.push(ParameterError::new(
                argument,
                "has no value",
                "write it as name=value",
            )),
        }
    }
    match errors.is_empty() {
        true => Ok(map),
        false => Err(ParameterErrors(errors)),
    }
}

/// Whether a name can be that of an input file: it names a file right in the input directory and nothing else.
pub fn safe_file_name(name: &str) -> Result<(), ParameterError> {
    let remedy =
        "use letters, digits, dots, dashes and underscores, not beginning with a dot or a dash";
    let bad = |message: &str| Err(ParameterError::new(name, message, remedy));
    match name {
        "" => bad("an input has no name"),
        _ if name.len() > 200 => bad("the name is longer than 200 bytes"),
        _ if name.starts_with(['.', '-']) => bad("the name begins with a dot or a dash"),
        _ if !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-+ ".contains(&b)) =>
        {
            bad("the name has a character that is not allowed")
        }
        _ => Ok(()),
    }
}

/// Whether a name can be a parameter's: it becomes part of a shell variable's name.
pub(crate) fn is_parameter_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What a property's schema takes, in words that complete "give ...".
pub(crate) fn expectation(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).map(Value::to_string);
    let range = |unit: &str| match (bound("minimum"), bound("maximum")) {
        (Some(low), Some(high)) => format!("{unit} from {low} to {high}"),
        (Some(low), None) => format!("{unit} of at least {low}"),
        (None, Some(high)) => format!("{unit} of at most {high}"),
        (None, None) => unit.to_string(),
    };
    let mut text = match (
        schema.get("enum").and_then(Value::as_array),
        schema.get("type").and_then(Value::as_str),
    ) {
        (Some(options), _) => {
            let all: Vec<_> = options.iter().map(plain).collect();
            format!("one of {}", all.join(", "))
        }
        (None, Some("integer")) => range("a whole number"),
        (None, Some("number")) => range("a number"),
        (None, Some("boolean")) => "true or false".into(),
        (None, Some("array")) => "a list, as [1, 2, 3]".into(),
        _ => match (bound("minLength"), bound("maxLength")) {
            (Some(low), Some(high)) => format!("text of {low} to {high} characters"),
            (_, Some(high)) => format!("text of at most {high} characters"),
            (Some(low), _) => format!("text of at least {low} characters"),
            _ => "text".into(),
        },
    };
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        text.push_str(&format!(" that fits {pattern}"));
    }
    if let Some(default) = schema.get("default") {
        text.push_str(&format!(" (default {})", plain(default)));
    }
    text
}

/// A value as a person would write it: text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads the text of one command line value as its property wants it. What does not fit stays text: the schema then
/// says what was wanted.
fn typed(text: &str, schema: &Value) -> Value {
    let as_text = || Value::String(text.into());
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text.trim())
            .ok()
            .filter(|v: &Value| !v.is_object())
            .unwrap_or_else(as_text),
        Some("array") if !text.trim_start().starts_with('[') => {
            let items = schema.get("items").cloned().unwrap_or(Value::Null);
            Value::Array(
                text.split(',')
                    .map(|item| typed(item.trim(), &items))
                    .collect(),
            )
        }
        Some("array") => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
        _ => as_text(),
    }
}

/// One way to write a number: whole ones without a fraction (programs read "5000", not "5000.0"), others as the nearest
/// 64-bit float. What is no such number stays as it is and is refused by [`unspeakable`] or by its bounds.
fn normalise(value: &mut Value, schema: &Value) {
    let kind = schema.get("type").and_then(Value::as_str);
    if value.is_number() {
        let whole = value.as_i64().or_else(|| {
            let float = value.as_f64()?;
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        });
        match (kind, whole, value.as_f64()) {
            (Some("integer"), Some(whole), _) => *value = Value::from(whole),
            (Some("number"), _, Some(float)) if float.is_finite() => *value = Value::from(float),
            _ => {}
        }
    }
    if let (Some(items), Some(item)) = (value.as_array_mut(), schema.get("items")) {
        items.iter_mut().for_each(|v| normalise(v, item));
    }
}

/// Whether a value holds a number that no 64-bit float comes near.
fn is_beyond_floats(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_none_or(|f| !f.is_finite()),
        Value::Array(items) => items.iter().any(is_beyond_floats),
        Value::Object(map) => map.values().any(is_beyond_floats),
        _ => false,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(k, v)| k.contains('\0') || has_nul(v)),
        _ => false,
    }
}

/// What is wrong with parameters that no schema speaks about: names and values that cannot become variables.
pub(crate) fn unspeakable(map: &Map<String, Value>) -> Vec<ParameterError> {
    let mut errors = Vec::new();
    for (name, value) in map {
        if !is_parameter_name(name) {
            let remedy =
                "use small letters, digits and underscores, beginning with a letter, at most 64";
            errors.push(ParameterError::new(name, "is not a possible name", remedy));
        }
        if has_nul(value) {
            errors.push(ParameterError::new(
                name,
                "holds a NUL character",
                "remove it",
            ));
        }
        if is_beyond_floats(value) {
            let remedy = "give a number that a 64-bit float can hold";
            errors.push(ParameterError::new(name, "is too large", remedy));
        }
        if value
            .as_str()
            .is_some_and(|text| text.chars().count() > MAX_TEXT)
        {
            let remedy = "pass long text as an input file";
            errors.push(ParameterError::new(
                name,
                format!("is longer than {MAX_TEXT} characters"),
                remedy,
            ));
        }
    }
    let length = Value::Object(map.clone()).to_string().len();
    if length > MAX_JSON {
        let message = format!("together {length} bytes, more than {MAX_JSON}");
        errors.push(ParameterError::new(
            "parameters",
            message,
            "pass long values as input files",
        ));
    }
    errors
}

/// The known name that is nearest to `name`, if any is near. Nothing is near a name longer than names may be, which a
/// stranger may send by the megabyte.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    if name.len() > MAX_NAME {
        return None;
    }
    let distance = |other: &str| {
        let mut row: Vec<usize> = (0..=other.chars().count()).collect();
        for (i, a) in name.chars().enumerate() {
            let mut last = i;
            if let Some(first) = row.first_mut() {
                *first = i + 1;
            }
            for (j, b) in other.chars().enumerate() {
                let (above, left) = (
                    row.get(j + 1).copied().unwrap_or(0),
                    row.get(j).copied().unwrap_or(0),
                );
                let cost = (last + usize::from(a != b)).min(above + 1).min(left + 1);
                last = above;
                if let Some(cell) = row.get_mut(j + 1) {
                    *cell = cost;
                }
            }
        }
        row.last().copied().unwrap_or(usize::MAX)
    };
    known
        .map(|k| (distance(k), k))
        .filter(|(d, k)| *d <= 2.max(k.len() / 3))
        .min()
        .map(|(_, k)| k)
}

impl Template {
    /// Reads `name=value` arguments as this template's parameters, then as [`Template::validate_parameters`].
    pub fn parse_cli_params<S: AsRef<str>>(
        &self,
        arguments: &[S],
    ) -> Result<Parameters, ParameterErrors> {
        let mut map = parse_cli_params(arguments)?;
        for (name, value) in &mut map {
            if let (Some(schema), Some(text)) = (self.property(name), value.as_str()) {
                *value = typed(text, schema);
            }
        }
        self.validate_parameters(&Value::Object(map))
    }

    /// Checks a JSON object of parameters against the schema and fills in defaults. Unknown parameters are refused.
    pub fn validate_parameters(&self, parameters: &Value) -> Result<Parameters, ParameterErrors> {
        let Value::Object(given) = parameters else {
            let error = ParameterError::new(
                "parameters",
                "are not an object",
                "write them as {\"name\": value}",
            );
            return Err(ParameterErrors(vec![error]));
        };
        let mut errors = Vec::new();
        let mut map = given.clone();
        for name in given.keys().filter(|n| self.property(n).is_none()) {
            map.remove(name);
            let known: Vec<_> = self.properties().map(|(n, _)| n.as_str()).collect();
            let remedy = match nearest(name, self.properties().map(|(n, _)| n)) {
                Some(near) => format!("did you mean {near}?"),
                None if known.is_empty() => "this template takes no parameters".into(),
                None => format!("remove it; there are: {}", known.join(", ")),
            };
            errors.push(ParameterError::new(
                name,
                format!("is not a parameter of {}", self.name()),
                remedy,
            ));
        }
        for (name, schema) in self.properties() {
            match map.get_mut(name) {
                Some(value) => normalise(value, schema),
                None => {
                    if let Some(default) = schema.get("default") {
                        map.insert(name.clone(), default.clone());
                    }
                }
            }
        }
        errors.extend(unspeakable(&map));
        // With such a number the schema cannot be asked: where numbers keep their text, its validator panics.
        if map.values().any(is_beyond_floats) {
            return Err(ParameterErrors(errors));
        }
        let instance = Value::Object(map);
        for error in self.validator().iter_errors(&instance) {
            let path = error.instance_path().to_string();
            let (name, message) = match error.kind() {
                Kind::Required { property } => (plain(property), "is missing".to_string()),
                _ => {
                    let name = path.split('/').nth(1).unwrap_or_default().to_string();
                    (name, format!("{} is not allowed", plain(error.instance())))
                }
            };
            let remedy = self.property(&name).map_or("see the template".into(), |s| {
                format!("give {}", expectation(s))
            });
            let field = if path.matches('/').count() > 1 {
                path.trim_start_matches('/')
            } else {
                &name
            };
            errors.push(ParameterError::new(field, message, remedy));
        }
        match (errors.is_empty(), instance) {
            (true, Value::Object(map)) => Ok(Parameters(map)),
            _ => Err(ParameterErrors(errors)),
        }
    }
}

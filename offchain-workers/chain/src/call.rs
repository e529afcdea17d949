//! A call to the runtime, by name.

use codec::Encode;
use subxt::{
    ext::{
        scale_encode::{self, EncodeAsFields, FieldIter},
        scale_type_resolver::TypeResolver,
    },
    transactions::Payload,
};

/// A call: pallet and call by name, arguments as their SCALE encoding. Made by [`crate::calls`] or, for anything else,
/// with [`Call::new`] and [`Call::with`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pallet: String,
    name: String,
    arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// SCALE encoding.
    Encoded(Vec<u8>),
    /// A call, whose encoding needs the metadata.
    Call(Box<Call>),
    /// A vector of calls.
    Calls(Vec<Call>),
}

impl Call {
    /// A call without arguments.
    pub fn new(pallet: &str, name: &str) -> Self {
        Self {
            pallet: pallet.into(),
            name: name.into(),
            arguments: Vec::new(),
        }
    }

    /// Adds the next argument.
    pub fn with(mut self, argument: impl Encode) -> Self {
        self.arguments.push(Argument::Encoded(argument.encode()));
        self
    }

    /// Adds a call as the next argument.
    pub fn with_call(mut self, call: Call) -> Self {
        self.arguments.push(Argument::Call(Box::new(call)));
        self
    }

    /// Adds a vector of calls as the next argument.
    pub fn with_calls(mut self, calls: Vec<Call>) -> Self {
        self.arguments.push(Argument::Calls(calls));
        self
    }

    /// Pallet.
    pub fn pallet(&self) -> &str {
        &self.pallet
    }

    /// Call within the pallet.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `Pallet.call`, for messages.
    pub fn title(&self) -> String {
        format!("{}.{}", self.pallet, self.name)
    }

    pub(crate) fn arguments(&self) -> &[Argument] {
        &self.arguments
    }
}

/// What is handed to subxt: the call's arguments, already encoded and checked against the metadata.
pub(crate) struct Prepared {
    pub pallet: String,
    pub name: String,
    pub data: PreparedArguments,
}

pub(crate) struct PreparedArguments(pub Vec<u8>);

impl EncodeAsFields for PreparedArguments {
    fn encode_as_fields_to<R: TypeResolver>(
        &self,
        _fields: &mut dyn FieldIter<'_, R::TypeId>,
        _types: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), scale_encode::Error> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

impl Payload for Prepared {
    type CallData = PreparedArguments;

    fn pallet_name(&self) -> &str {
        &self.pallet
    }

    fn call_name(&self) -> &str {
        &self.name
    }

    fn call_data(&self) -> &Self::CallData {
        &self.data
    }
}

//! What one version of the runtime can be asked: its metadata, and what follows from it.

use crate::{
    call::{Argument, Call, Prepared, PreparedArguments},
    error::ChainError,
    event::ChainEvent,
    signer::Signer,
    Head,
};
use codec::{Compact, Decode, Encode};
use serde_json::{Map, Value as Json};
use sp_core::{crypto::Ss58Codec, H256};
use subxt::{
    client::{OfflineClient, OfflineClientAtBlock},
    config::{
        substrate::{SpecVersionForRange, SubstrateConfigBuilder},
        SubstrateConfig, SubstrateExtrinsicParamsBuilder,
    },
    events::Phase,
    ext::{
        scale_decode::visitor::{decode_with_visitor, IgnoreVisitor},
        scale_value::{scale::decode_as_type, Composite, Primitive, Value, ValueDef},
    },
    Metadata,
};
use virtengine_primitives::AssetId;

/// Largest integer that every JSON reader keeps exactly.
const MAX_EXACT: u128 = (1 << 53) - 1;

/// One version of the runtime.
pub(crate) struct Runtime {
    client: OfflineClientAtBlock<SubstrateConfig>,
}

/// A signed transaction.
pub(crate) struct Signed {
    /// With its length prefix, as it is sent and as it stands in a block.
    pub bytes: Vec<u8>,
    /// Blake2b-256 of `bytes`: the hash that explorers show.
    pub hash: H256,
    /// First block in which it would not be valid any more.
    pub valid_before: u32,
}

impl Runtime {
    pub fn new(
        genesis: H256,
        spec_version: u32,
        transaction_version: u32,
        metadata: &[u8],
    ) -> Result<Self, ChainError> {
        let metadata = Metadata::decode_from(metadata)
            .map_err(|e| ChainError::Incompatible(format!("its metadata: {e}")))?;
        let config = SubstrateConfigBuilder::new()
            .set_genesis_hash(crate::chain::subxt_hash(genesis))
            .set_metadata_for_spec_versions([(spec_version, metadata.arc())])
            .set_spec_version_for_block_ranges([SpecVersionForRange {
                block_range: 0..u64::MAX,
                spec_version,
                transaction_version,
            }])
            .build();
        let client = OfflineClient::new_with_config(config)
            .at_block(0u64)
            .map_err(|e| ChainError::Incompatible(e.to_string()))?;
        Ok(Self { client })
    }

    fn metadata(&self) -> &Metadata {
        self.client.metadata_ref()
    }

    /// Checks a call against the metadata: pallet, call, number of arguments, and that each argument is a value of
    /// the type that the runtime expects. Returns the encoded arguments.
    fn encode_arguments(&self, call: &Call) -> Result<Vec<u8>, ChainError> {
        let wrong = |what: String| ChainError::Incompatible(format!("{}: {what}", call.title()));
        let variant = self
            .metadata()
            .pallet_by_name(call.pallet())
            .ok_or_else(|| wrong("the runtime has no such pallet".into()))?
            .call_variant_by_name(call.name())
            .ok_or_else(|| wrong("the pallet has no such call".into()))?;
        if variant.fields.len() != call.arguments().len() {
            return Err(wrong(format!(
                "the runtime expects {} arguments, this program gives {}",
                variant.fields.len(),
                call.arguments().len()
            )));
        }
        let mut all = Vec::new();
        for (field, argument) in variant.fields.iter().zip(call.arguments()) {
            let encoded = match argument {
                Argument::Encoded(bytes) => bytes.clone(),
                Argument::Call(inner) => self.encode_call(inner)?,
                Argument::Calls(inner) => {
                    let mut bytes = Compact(inner.len() as u32).encode();
                    for call in inner {
                        bytes.extend(self.encode_call(call)?);
                    }
                    bytes
                }
            };
            let name = field.name.as_deref().unwrap_or("argument");
            let mut rest = &encoded[..];
            decode_with_visitor(
                &mut rest,
                field.ty.id,
                self.metadata().types(),
                IgnoreVisitor::new(),
            )
            .map_err(|e| wrong(format!("{name} has another shape in the runtime: {e}")))?;
            if !rest.is_empty() {
                return Err(wrong(format!("{name} is shorter in the runtime")));
            }
            all.extend(encoded);
        }
        Ok(all)
    }

    /// A call as the runtime encodes it: pallet index, call index, arguments.
    pub fn encode_call(&self, call: &Call) -> Result<Vec<u8>, ChainError> {
        let data = self.encode_arguments(call)?;
        let pallet = self.metadata().pallet_by_name(call.pallet());
        let indices =
            pallet.and_then(|p| Some([p.call_index(), p.call_variant_by_name(call.name())?.index]));
        let indices = indices.ok_or_else(|| ChainError::Incompatible(call.title()))?;
        Ok([&indices[..], &data].concat())
    }

    /// Signs a call, valid for `period` blocks (a power of two) from `birth` on; the fee is paid in the chain's token
    /// or in `fee`.
    pub fn sign(
        &self,
        call: &Call,
        signer: &Signer,
        nonce: u32,
        birth: Head,
        period: u32,
        fee: Option<AssetId>,
    ) -> Result<Signed, ChainError> {
        let prepared = Prepared {
            pallet: call.pallet().into(),
            name: call.name().into(),
            data: PreparedArguments(self.encode_arguments(call)?),
        };
        let parameters = SubstrateExtrinsicParamsBuilder::<SubstrateConfig>::new()
            .nonce(nonce.into())
            .mortal_from_unchecked(
                period.into(),
                birth.number.into(),
                crate::chain::subxt_hash(birth.hash),
            );
        let parameters = match fee {
            Some(asset) => parameters.tip_of(0, asset).build(),
            None => parameters.build(),
        };
        let failed = |e: subxt::error::ExtrinsicError| {
            ChainError::Incompatible(format!("{}: {e}", call.title()))
        };
        let transaction = self
            .client
            .transactions()
            .create_signable_offline(&prepared, parameters)
            .map_err(failed)?
            .sign(signer)
            .map_err(failed)?;
        let bytes = transaction.into_encoded();
        Ok(Signed {
            hash: H256(sp_crypto_hashing::blake2_256(&bytes)),
            bytes,
            valid_before: birth.number.saturating_add(period),
        })
    }

    /// `(pallet, name, docs)` of a SCALE-encoded `DispatchError`.
    pub fn dispatch_error(&self, bytes: &[u8]) -> (String, String, String) {
        use subxt::error::DispatchError;
        match DispatchError::decode_from(bytes.to_vec(), self.client.metadata()) {
            Ok(DispatchError::Module(e)) => match e.details() {
                Ok(details) => (
                    details.pallet.name().into(),
                    details.variant.name.clone(),
                    details.variant.docs.join(" ").trim().to_string(),
                ),
                Err(_) => (
                    "System".into(),
                    "Unknown".into(),
                    format!("{:?}", e.bytes()),
                ),
            },
            Ok(other) => {
                let name = format!("{other:?}");
                let name = name.split(['(', ' ']).next().unwrap_or("Other").to_string();
                ("System".into(), name, other.to_string())
            }
            Err(e) => ("System".into(), "Unknown".into(), e.to_string()),
        }
    }

    /// A constant of a pallet.
    pub fn constant<T: Decode>(&self, pallet: &str, name: &str) -> Result<T, ChainError> {
        let wrong =
            |what: &str| ChainError::Incompatible(format!("constant {pallet}.{name} {what}"));
        let metadata = self.metadata().pallet_by_name(pallet);
        let bytes = metadata
            .as_ref()
            .and_then(|p| p.constant_by_name(name))
            .ok_or_else(|| wrong("is missing"))?
            .value();
        T::decode(&mut &bytes[..]).map_err(|_| wrong("has another type"))
    }

    /// Decodes of the `System.Events` of a block those that are wanted, by their pallet and the index of the extrinsic
    /// that caused them.
    pub fn decode_events(
        &self,
        bytes: Vec<u8>,
        wanted: impl Fn(&str, Option<u32>) -> bool,
    ) -> Result<Vec<ChainEvent>, ChainError> {
        let wrong = |e: String| ChainError::Incompatible(format!("its events: {e}"));
        let events = self.client.events().from_bytes(bytes);
        let mut all = Vec::new();
        for event in events.iter() {
            let event = event.map_err(|e| wrong(e.to_string()))?;
            let extrinsic = match event.phase() {
                Phase::ApplyExtrinsic(index) => Some(index),
                _ => None,
            };
            if !wanted(event.pallet_name(), extrinsic) {
                continue;
            }
            let bytes = event.field_bytes().to_vec();
            let variant = self
                .metadata()
                .pallet_by_name(event.pallet_name())
                .and_then(|p| p.event_variant_by_index(event.event_index()).cloned())
                .ok_or_else(|| wrong(format!("{} is unknown", event.event_name())))?;
            let mut rest = &bytes[..];
            let mut fields = Vec::new();
            for field in &variant.fields {
                let types = self.metadata().types();
                let start = rest;
                let value = decode_as_type(&mut rest, field.ty.id, types)
                    .map_err(|e| wrong(e.to_string()))?;
                let is_error = types
                    .resolve(field.ty.id)
                    .and_then(|t| t.path.ident())
                    .is_some_and(|ident| ident == "DispatchError");
                let json = if is_error {
                    let (pallet, name, docs) =
                        self.dispatch_error(&start[..start.len() - rest.len()]);
                    serde_json::json!({ "pallet": pallet, "name": name, "docs": docs })
                } else {
                    self.json(&value)
                };
                fields.push((field.name.clone(), json));
            }
            all.push(ChainEvent {
                pallet: event.pallet_name().into(),
                name: event.event_name().into(),
                fields: fields_json(fields),
                bytes,
                extrinsic,
            });
        }
        Ok(all)
    }

    /// See [`ChainEvent::fields`].
    fn json(&self, value: &Value<u32>) -> Json {
        let path = self
            .metadata()
            .types()
            .resolve(value.context)
            .and_then(|t| t.path.ident());
        match &value.value {
            ValueDef::Primitive(p) => primitive_json(p),
            ValueDef::BitSequence(bits) => {
                Json::String(bits.iter().map(|b| if b { '1' } else { '0' }).collect())
            }
            ValueDef::Variant(variant) => {
                let inner = self.composite(&variant.values);
                match (variant.name.as_str(), &variant.values) {
                    ("None", Composite::Unnamed(v)) if v.is_empty() => Json::Null,
                    ("Some", Composite::Unnamed(v)) if v.len() == 1 => single(inner),
                    (name, values) if values.is_empty() => Json::String(name.into()),
                    (name, Composite::Unnamed(v)) if v.len() == 1 => {
                        Json::Object(Map::from_iter([(name.to_string(), single(inner))]))
                    }
                    (name, _) => Json::Object(Map::from_iter([(name.to_string(), inner)])),
                }
            }
            ValueDef::Composite(composite) => {
                if let Some(bytes) = self.bytes(value) {
                    return match (path.as_deref(), <[u8; 32]>::try_from(&bytes[..])) {
                        (Some("AccountId32"), Ok(account)) => {
                            Json::String(sp_core::crypto::AccountId32::new(account).to_ss58check())
                        }
                        _ => Json::String(format!("0x{}", hex::encode(bytes))),
                    };
                }
                let is_list = self
                    .metadata()
                    .types()
                    .resolve(value.context)
                    .is_some_and(|t| {
                        matches!(
                            t.type_def,
                            scale_info::TypeDef::Sequence(_)
                                | scale_info::TypeDef::Array(_)
                                | scale_info::TypeDef::Tuple(_)
                        )
                    });
                match composite {
                    Composite::Unnamed(v) if v.len() == 1 && !is_list => {
                        single(self.composite(composite))
                    }
                    _ => self.composite(composite),
                }
            }
        }
    }

    fn composite(&self, composite: &Composite<u32>) -> Json {
        match composite {
            Composite::Named(fields) => fields_json(
                fields
                    .iter()
                    .map(|(name, v)| (Some(name.clone()), self.json(v)))
                    .collect(),
            ),
            Composite::Unnamed(values) => {
                Json::Array(values.iter().map(|v| self.json(v)).collect())
            }
        }
    }

    /// The bytes of a vector or array of bytes, however wrapped.
    fn bytes(&self, value: &Value<u32>) -> Option<Vec<u8>> {
        use scale_info::{TypeDef, TypeDefPrimitive};
        let types = self.metadata().types();
        let element = match &types.resolve(value.context)?.type_def {
            TypeDef::Sequence(s) => s.type_param.id,
            TypeDef::Array(a) => a.type_param.id,
            TypeDef::Composite(_) => {
                return match &value.value {
                    ValueDef::Composite(Composite::Unnamed(v)) if v.len() == 1 => {
                        self.bytes(v.first()?)
                    }
                    _ => None,
                }
            }
            _ => return None,
        };
        let is_byte = matches!(
            &types.resolve(element)?.type_def,
            TypeDef::Primitive(TypeDefPrimitive::U8)
        );
        match &value.value {
            ValueDef::Composite(Composite::Unnamed(values)) if is_byte => values
                .iter()
                .map(|v| v.as_u128().and_then(|b| u8::try_from(b).ok()))
                .collect(),
            _ => None,
        }
    }
}

fn single(value: Json) -> Json {
    match value {
        Json::Array(mut all) if all.len() == 1 => all.remove(0),
        other => other,
    }
}

fn fields_json(fields: Vec<(Option<String>, Json)>) -> Json {
    if fields.iter().all(|(name, _)| name.is_some()) && !fields.is_empty() {
        Json::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)))
                .collect(),
        )
    } else {
        Json::Array(fields.into_iter().map(|(_, value)| value).collect())
    }
}

fn primitive_json(primitive: &Primitive) -> Json {
    match primitive {
        Primitive::Bool(b) => Json::Bool(*b),
        Primitive::Char(c) => Json::String(c.to_string()),
        Primitive::String(s) => Json::String(s.clone()),
        Primitive::U128(n) if *n <= MAX_EXACT => Json::from(*n as u64),
        Primitive::U128(n) => Json::String(n.to_string()),
        Primitive::I128(n) if n.unsigned_abs() <= MAX_EXACT => Json::from(*n as i64),
        Primitive::I128(n) => Json::String(n.to_string()),
        Primitive::U256(bytes) | Primitive::I256(bytes) => {
            Json::String(format!("0x{}", hex::encode(bytes)))
        }
    }
}

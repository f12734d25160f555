//! JSON that means one thing only: an object in which no name is there twice, at any depth.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use crate::limits::TOKEN_DEPTH_MAX;

/// Checks that `bytes` are one such object and returns the names in it, outermost level only.
pub(super) fn check(bytes: &[u8]) -> Result<Vec<String>, serde_json::Error> {
    serde_json::from_slice(bytes).map(|Object(names)| names)
}

struct Object(Vec<String>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object, A::Error> {
        unique_names(map, TOKEN_DEPTH_MAX).map(|names| Object(names.into_iter().collect()))
    }
}

fn unique_names<'de, A: MapAccess<'de>>(
    mut map: A,
    depth: usize,
) -> Result<BTreeSet<String>, A::Error> {
    let depth = depth.checked_sub(1).ok_or_else(|| de::Error::custom("nested too deep"))?;
    let mut names = BTreeSet::new();
    while let Some(name) = map.next_key::<String>()? {
        if !names.insert(name) {
            return Err(de::Error::custom("a name is there twice"));
        }
        map.next_value_seed(Value { depth })?;
    }
    Ok(names)
}

/// Any value, looked through for objects.
#[derive(Clone, Copy)]
struct Value {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| de::Error::custom("too deep"))?;
        while seq.next_element_seed(Self { depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        unique_names(map, self.depth).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_there_twice_is_refused_at_any_depth() {
        assert_eq!(check(br#"{"a":1,"b":[{"a":1}]}"#).unwrap(), ["a", "b"]);
        for bad in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"b":2}]}"#] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for bad in ["", "1", "[]", "{} {}", "null", &"[".repeat(5_000), &"{\"a\":".repeat(5_000)] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

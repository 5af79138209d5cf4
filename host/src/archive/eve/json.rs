//! JSON objects as structs, whatever stands in them: the fields that are wanted are kept as they are and judged later,
//! so that one of the wrong type is a value with a name and not a line that cannot be read.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::value::Value;

/// What is filled from the JSON value of its name. The first value counts: of an array, and of a name that comes twice.
pub(super) trait Fill<'de> {
    fn fill<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error>;
}

/// A struct whose fields are those of a JSON object; made by [`object`](super::json::object).
pub(super) trait Object<'de> {
    /// Takes the value of a member, or passes it over.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error>;
}

/// Defines a struct that is filled from a JSON object. A field has the member's name, or the one given after it.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($field:ident $($key:literal)?: $type:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: $type<'a>,)*
        }

        impl<'de> $crate::archive::eve::json::Object<'de> for $name<'de> {
            fn member<A: serde::de::MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
                use $crate::archive::eve::json::{self, Seed};
                match name {
                    $(json::key!($field $($key)?) => object.next_value_seed(Seed(&mut self.$field)),)*
                    _ => object.next_value::<serde::de::IgnoredAny>().map(drop),
                }
            }
        }
    };
}

/// The name of a member.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(super) use {key, object};

/// Reads a line that is one JSON object.
pub(super) fn read<'de, T: Object<'de> + Default>(line: &'de [u8]) -> Result<T, serde_json::Error> {
    if line.first() != Some(&b'{') {
        return Err(serde_json::Error::custom("it does not begin with {"));
    }
    let mut object = T::default();
    let mut input = serde_json::Deserializer::from_slice(line);
    Seed(&mut object).deserialize(&mut input)?;
    input.end()?;
    Ok(object)
}

/// Where a value goes.
pub(super) struct Seed<'s, T>(pub(super) &'s mut T);

impl<'de, T: Fill<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        self.0.fill(value)
    }
}

impl<'de, T: Object<'de>> Fill<'de> for T {
    fn fill<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(Members(self))
    }
}

impl<'de> Fill<'de> for Value<'de> {
    fn fill<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(Scalar(self))
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Takes the members of an object; anything else is as if it were absent.
struct Members<'s, T>(&'s mut T);

impl<'de, T: Object<'de>> Visitor<'de> for Members<'_, T> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = object.next_key()? {
            self.0.member(&name, &mut object)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(Seed(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Takes a text or number; an object is as if it were absent.
struct Scalar<'s, 'a>(&'s mut Value<'a>);

impl<'de> Visitor<'de> for Scalar<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.0.set_text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.set_text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.0.set(Value::Number(number));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.0.set(Value::Odd(number.to_string()));
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.0.set(Value::Odd(number.to_string()));
        Ok(())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.0.set(Value::Odd(truth.to_string()));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(Seed(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, read};

    object! {
        Outer {
            id: Value,
            kind "type": Value,
            inner: Inner,
        }
    }

    object! {
        Inner {
            id: Value,
        }
    }

    fn check(line: &str, expected: [&str; 3]) {
        let outer: Outer<'_> = read(line.as_bytes()).unwrap();
        let seen = [&outer.id, &outer.kind, &outer.inner.id].map(ToString::to_string);
        assert_eq!(seen, expected, "{line}");
    }

    #[test]
    fn finds_fields() {
        check("{}", ["", "", ""]);
        check(r#" { "id" : 1 , "x":[{"id":2}], "type":"a", "inner":{"id":"b"} }"#.trim(), ["1", "a", "b"]);
        check(r#"{"id":null,"type":"","inner":{"id":{"id":2}}}"#, ["", "", ""]);
        check(r#"{"id":"a\/\u00e9","\u0074ype":-1,"inner":{"id":1.5}}"#, ["a/é", "-1", "1.5"]);
        check(r#"{"id":true,"type":18446744073709551616,"inner":"x"}"#, ["true", "18446744073709552000", ""]);
    }

    #[test]
    fn the_first_value_counts() {
        check(r#"{"id":[null,7,8],"type":"a","type":"b","inner":[{"id":1},{"id":2}]}"#, ["7", "a", "1"]);
        check(r#"{"id":[],"type":[["a"]],"inner":[1,true,null,-1,0.5,"x",{"id":3}]}"#, ["", "a", "3"]);
    }

    #[test]
    fn refuses_what_is_no_object() {
        for line in
            ["", "7", "[{}]", "{", r#"{"id""#, r#"{"id":1"#, r#"{"id":1}{"#, r#"{"id":1,}"#, "{\"id\":\"\u{1}\"}"]
        {
            assert!(read::<Outer<'_>>(line.as_bytes()).is_err(), "{line}");
        }
        let deep = format!("{{\"id\":{}1", "[".repeat(100_000));
        assert!(read::<Outer<'_>>(deep.as_bytes()).is_err());
        assert!(read::<Outer<'_>>(b"{\"id\":\"\xff\"}").is_err());
    }
}

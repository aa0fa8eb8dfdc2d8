//! JSON literals that move their parts in. `serde_json::json!` serialises every expression anew, which for
//! resources put together from parts costs more than all the rest of generating them.

use serde_json::{Number, Value};

/// What can stand in a [`tree!`] literal.
pub(super) trait Leaf {
    fn leaf(self) -> Value;
}

impl Leaf for Value {
    fn leaf(self) -> Value {
        self
    }
}

impl Leaf for Vec<Value> {
    fn leaf(self) -> Value {
        Value::Array(self)
    }
}

impl Leaf for Vec<&str> {
    fn leaf(self) -> Value {
        self.into_iter().map(Leaf::leaf).collect()
    }
}

impl Leaf for Vec<String> {
    fn leaf(self) -> Value {
        self.into_iter().map(Value::String).collect()
    }
}

impl Leaf for &str {
    fn leaf(self) -> Value {
        Value::String(self.to_owned())
    }
}

impl Leaf for &String {
    fn leaf(self) -> Value {
        Value::String(self.clone())
    }
}

impl Leaf for String {
    fn leaf(self) -> Value {
        Value::String(self)
    }
}

impl Leaf for bool {
    fn leaf(self) -> Value {
        Value::Bool(self)
    }
}

impl Leaf for f64 {
    fn leaf(self) -> Value {
        Number::from_f64(self).map_or(Value::Null, Value::Number)
    }
}

/// Implements [`Leaf`] for whole numbers.
macro_rules! whole_leaf {
    ($($kind:ty),*) => {
        $(impl Leaf for $kind {
            fn leaf(self) -> Value {
                Value::from(self)
            }
        })*
    };
}
whole_leaf!(i32, i64, u32, usize);

/// A JSON value written as a literal: objects, arrays and expressions in between.
macro_rules! tree {
    (@members $map:ident) => {};
    (@members $map:ident $name:literal : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $map.insert($name.to_owned(), tree!({ $($inner)* }));
        $(tree!(@members $map $($rest)*);)?
    };
    (@members $map:ident $name:literal : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $map.insert($name.to_owned(), tree!([ $($inner)* ]));
        $(tree!(@members $map $($rest)*);)?
    };
    (@members $map:ident $name:literal : $value:expr $(, $($rest:tt)*)?) => {
        $map.insert($name.to_owned(), $crate::data::generate::tree::Leaf::leaf($value));
        $(tree!(@members $map $($rest)*);)?
    };
    (@items [ $($done:expr,)* ]) => { ::serde_json::Value::Array(vec![ $($done),* ]) };
    (@items [ $($done:expr,)* ] { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        tree!(@items [ $($done,)* tree!({ $($inner)* }), ] $($($rest)*)?)
    };
    (@items [ $($done:expr,)* ] [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        tree!(@items [ $($done,)* tree!([ $($inner)* ]), ] $($($rest)*)?)
    };
    (@items [ $($done:expr,)* ] $value:expr $(, $($rest:tt)*)?) => {
        tree!(@items [ $($done,)* $crate::data::generate::tree::Leaf::leaf($value), ] $($($rest)*)?)
    };
    ({ $($inner:tt)* }) => {{
        let mut members = ::serde_json::Map::new();
        tree!(@members members $($inner)*);
        ::serde_json::Value::Object(members)
    }};
    ([ $($inner:tt)* ]) => { tree!(@items [] $($inner)*) };
    ($value:expr) => { $crate::data::generate::tree::Leaf::leaf($value) };
}
pub(super) use tree;

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_literal_is_the_same_value_as_serde_writes() {
        let part = tree!({ "a": 1_i64 });
        let built = tree!({
            "list": [part.clone(), { "b": [true, "x"] }, [2.5]],
            "text": "t".to_owned(),
            "chosen": if part.is_object() { "yes" } else { "no" },
            "nested": { "deep": { "part": part } },
        });
        let wanted = json!({
            "list": [{ "a": 1 }, { "b": [true, "x"] }, [2.5]],
            "text": "t", "chosen": "yes", "nested": { "deep": { "part": { "a": 1 } } },
        });
        assert_eq!(built, wanted);
    }
}

//! Enums as table and API write them.

/// The stable words of an enum without data, each said once.
macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),* $(,)? }) => {
        impl $type {
            /// All words, in the order of the variants.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The stable word for table and API.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),* }
            }
        }
    };
}
/// As [`words!`], for what is read from the table again.
macro_rules! read_words {
    ($type:ident { $($variant:ident => $word:literal),* $(,)? }) => {
        $crate::words::words!($type { $($variant => $word),* });

        impl $type {
            pub(crate) fn parse(text: &str) -> Option<$type> {
                match text { $($word => Some($type::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use {read_words, words};

//! Every file of `infra/profiles` by its name without `.toml`, in order; `build.rs` writes the list.

include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

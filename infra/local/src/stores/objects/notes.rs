use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{S3Error, S3Result};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Keeps a configuration or a set of tags as the XML it came in; the rename makes it all or nothing.
pub(super) fn keep(path: &Path, content: &impl Serialize) -> S3Result<()> {
    let mut xml = Vec::new();
    content.serialize(&mut Serializer::new(&mut xml)).map_err(S3Error::internal_error)?;
    let draft = path.with_extension("draft");
    fs::write(&draft, xml).and_then(|()| fs::rename(&draft, path)).map_err(S3Error::internal_error)
}

pub(super) fn kept<T: for<'xml> Deserialize<'xml>>(path: &Path) -> S3Result<Option<T>> {
    let xml = match fs::read(path) {
        Ok(xml) => xml,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(S3Error::internal_error(error)),
    };
    T::deserialize(&mut Deserializer::new(&xml)).map(Some).map_err(S3Error::internal_error)
}

pub(super) fn drop_note(path: &Path) -> S3Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(S3Error::internal_error(error)),
        _ => Ok(()),
    }
}

//! The files that an input names: what is known of them, and links by which a provider reads them.

use crate::FieldError;
use media::{FileFamily, UploadFacts};
use primitives::UploadId;
use problems::Wording;
use providers::SourceFile;
use serde::{Deserialize, Serialize};

/// What is known of each upload that an input names, at the time of the order. It is stored with the order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Materials(pub(crate) Vec<Material>);

/// One upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Material {
    pub(crate) id: UploadId,
    pub(crate) kind: FileFamily,
    pub(crate) facts: UploadFacts,
}

/// The same files with links that a provider can read them by, for a while.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(pub(crate) Vec<Source>);

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) id: UploadId,
    pub(crate) file: SourceFile,
    /// How long it plays, begun seconds counting whole.
    pub(crate) seconds: Option<u32>,
}

impl Materials {
    pub(crate) fn get(&self, id: UploadId) -> Option<&UploadFacts> {
        self.0.iter().find(|material| material.id == id).map(|material| &material.facts)
    }

    /// How long it plays in begun seconds; `None`: that is not known, or it does not play.
    pub(crate) fn seconds(&self, id: UploadId) -> Option<u32> {
        let millis = self.get(id)?.millis?;
        u32::try_from(millis.div_ceil(1_000)).ok()
    }
}

impl Sources {
    pub(crate) fn get(&self, id: UploadId) -> Option<SourceFile> {
        self.0.iter().find(|source| source.id == id).map(|source| source.file.clone())
    }

    /// How long it plays, as far as that is known.
    pub(crate) fn seconds(&self, id: UploadId) -> Option<u32> {
        self.0.iter().find(|source| source.id == id)?.seconds
    }
}

/// A complaint about one field of the input.
pub(super) fn about(field: &str, english: &'static str, vietnamese: &'static str) -> FieldError {
    FieldError::new(&format!("/input/{field}"), Wording::new(english, vietnamese))
}

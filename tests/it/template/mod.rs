//! `template.yaml` against the code: folders, routes, tables, profile, settings and rights say the same.
//!
//! Each check takes the template and returns what is wrong with it, so that the tests also show, on changed
//! templates, that it would complain. Checks and tests of one subject stand in one file. What only SAM's transform
//! can tell is checked by `infra/deploy/validate.sh`.

mod alarms;
mod dashboard;
mod disk;
mod door;
mod functions;
mod permitted;
mod rails;
mod reading;
mod rights;
mod settings;
mod stores;
mod times;

use credits::LedgerRules;
use media::MediaRules;
use platform::{Env, LogRules, Platform, Profile, TableSpec};
use primitives::Clock;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use alarms::*;
use disk::*;
use functions::*;
use permitted::*;
use rails::*;
use reading::*;
use settings::*;

type Complaints = Vec<String>;

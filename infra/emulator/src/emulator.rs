use crate::connections::{Serving, bind};
use crate::front::{self, Authority, Held, Holds, Parameters};
use crate::gateway::{Gateway, STAGE};
use crate::iam::{Allowed, Iam, Names};
use crate::lambda::{ClientGone, Function, Lambda};
use crate::logs::Logs;
use crate::outside::{self, Addresses};
use crate::scheduler::{self, TickError};
use crate::template::{Deployment, Given, TemplateError};
use citipen::stores::{Elsewhere, Place, REGION, StoreStartError, Stores};
use citipen::{MEDIA_BUCKET, local_env, tables};
use platform::{InvalidSettings, Platform};
use primitives::{Clock, random_bytes};
use sandbox::{Sandbox, SandboxConfig, Service};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What stands before every table's name, if nobody wants another; the template's own default.
const TABLE_PREFIX: &str = "citipen-";

/// The page's origin.
pub(crate) const ORIGIN: &str = "http://page.test";

/// How the cloud is to be.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub template: PathBuf,
    /// The binary of each folder of `functions/`. A function without one answers nothing.
    pub programs: BTreeMap<String, PathBuf>,
    /// Functions that are in no template.
    pub more: Vec<Function>,
    /// Settings on top of the template's.
    pub variables: BTreeMap<String, String>,
    /// Timeouts other than the template's, by function.
    pub timeouts: BTreeMap<String, Duration>,
    pub client_gone: ClientGone,
    /// Stores in place of the embedded ones. Clouds that share them need a `table_prefix` each.
    pub elsewhere: Elsewhere,
    /// What stands before every table's name; absent: the template's own default.
    pub table_prefix: Option<String>,
}

/// The whole cloud; it ends with this value.
pub struct Emulator {
    pub stores: Stores,
    pub sandbox: Sandbox,
    pub parameters: Parameters,
    pub lambda: Lambda,
    pub logs: Logs,
    pub authority: Authority,
    /// What the functions asked of AWS, and what was refused.
    pub iam: Iam,
    /// For a look at the stores from outside of every function.
    pub platform: Platform,
    deployment: Deployment,
    holds: Holds,
    at: Addresses,
    _servings: [Serving; 3],
    _folder: Folder,
}

/// Why there is no cloud.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Stores(#[from] StoreStartError),
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error("an address can't be had: {0}")]
    Io(#[from] std::io::Error),
    #[error("the stores elsewhere can't be asked: {0}")]
    Client(#[from] reqwest::Error),
}

impl Emulator {
    pub async fn start(options: Options) -> Result<Emulator, StartError> {
        let folder = Folder::make()?;
        let authority = Authority::make(&folder.0)?;
        let (gateway, aws, world) = (bind().await?, bind().await?, bind().await?);
        let at = Addresses {
            aws: format!("https://{}", aws.local_addr()?),
            world: format!("https://{}", world.local_addr()?),
            api: format!("http://{}/{STAGE}", gateway.local_addr()?),
            authority: authority.file().display().to_string(),
        };
        let clock = Clock::system();
        let rules = citipen::media_rules();
        let prefix = options.table_prefix.as_deref().unwrap_or(TABLE_PREFIX);
        let (elsewhere, place, tables) = (options.elsewhere.clone(), Place::Memory, tables());
        let opened = Stores::open_beside(elsewhere, &place, &tables, prefix, MEDIA_BUCKET, &rules, &clock);
        let stores = opened.await?;
        let sandbox = Sandbox::new(SandboxConfig {
            public_base: at.world.clone(),
            webhook_target: Some(at.api.clone()),
            origin: ORIGIN.to_owned(),
            zero_latency: true,
        });
        let parameters = Parameters::default();
        for (name, value) in outside::secrets() {
            parameters.put(&format!("{}{name}", outside::SECRETS_PATH), value);
        }
        let given = Given {
            parameters: outside::parameters(&at, prefix),
            physical: BTreeMap::from([("MediaBucket".to_owned(), MEDIA_BUCKET.to_owned())]),
            region: REGION.to_owned(),
        };
        let deployment = Deployment::read(&options.template, &given)?;
        let iam = Iam::new(Arc::new(Allowed::read(&options.template)?));
        let logs = Logs::default();
        let functions = functions(&deployment, &options, &at, front::takes_sessions(&stores));
        let lambda = Lambda::new(functions, REGION, options.client_gone, logs.clone());
        let holds = Holds::default();
        let names = Names { table_prefix: prefix.to_owned(), bucket: MEDIA_BUCKET.to_owned() };
        let servings = [
            front::serve_aws(aws, &authority, &stores, &parameters, iam.clone(), names)?,
            front::serve_world(world, &authority, sandbox.router(), &holds),
            Gateway::serve(gateway, &lambda, &deployment),
        ];
        let env = local_env(HashMap::new(), &at.api, &stores);
        let platform = stores.carry(&Platform::build(env, clock, None)?);
        stores.prepare(&platform, &[ORIGIN.to_owned()]).await?;
        Ok(Emulator {
            stores,
            sandbox,
            parameters,
            lambda,
            logs,
            authority,
            iam,
            platform,
            deployment,
            holds,
            at,
            _servings: servings,
            _folder: folder,
        })
    }

    /// The API's address with its stage, without a trailing slash.
    pub fn api(&self) -> &str {
        &self.at.api
    }

    /// Where a service of the sandbox is.
    pub fn service(&self, service: Service) -> String {
        format!("{}/sandbox/{}", self.at.world, service.name())
    }

    /// A client that trusts this cloud's authority, for the sandbox's pages and for signed links.
    #[expect(clippy::disallowed_methods, reason = "it stands for a browser, not for the product")]
    pub fn browser(&self) -> Result<reqwest::Client, reqwest::Error> {
        // Another installed provider can only be ring again.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = reqwest::Certificate::from_pem(self.authority.pem().as_bytes())?;
        // It may be used from several runtimes; a kept connection would belong to one of them.
        reqwest::Client::builder().tls_certs_only([authority]).pool_max_idle_per_host(0).build()
    }

    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Lets the next answer to a POST at this provider stand still after some pieces of its body; with none, before
    /// its head. The provider has taken the work by then.
    pub fn hold(&self, service: Service, pieces: usize) -> Held {
        self.holds.hold(service, pieces)
    }

    /// Makes the file of the next picture so long; what it shows stays the same.
    pub fn lengthen_picture(&self, bytes: usize) {
        self.holds.lengthen_picture(bytes);
    }

    /// One tick of the function's schedule, and what it answered.
    pub async fn tick(&self, function: &str) -> Result<Value, TickError> {
        let schedule = self.deployment.function(function).and_then(|plan| plan.schedule.as_deref());
        let schedule = schedule.ok_or_else(|| TickError::NoSchedule(function.to_owned()))?;
        scheduler::tick(&self.lambda, function, schedule, REGION).await
    }

    /// Where a secret lies in the Parameter Store.
    pub fn parameter_of(&self, secret: &str) -> String {
        format!("{}{secret}", outside::SECRETS_PATH)
    }
}

fn functions(
    deployment: &Deployment,
    options: &Options,
    at: &Addresses,
    has_sessions: bool,
) -> Vec<Function> {
    let with_addresses = |own: &BTreeMap<String, String>| {
        let mut variables = own.clone();
        if !has_sessions {
            variables.insert("AWS_SESSION_TOKEN".to_owned(), String::new());
        }
        variables.extend(outside::variables(at));
        variables.extend(options.variables.clone());
        variables
    };
    let planned = deployment.functions.iter().filter_map(|plan| {
        Some(Function {
            name: plan.name.clone(),
            program: options.programs.get(&plan.folder)?.clone(),
            arguments: Vec::new(),
            memory_mb: plan.memory_mb,
            timeout: options.timeouts.get(&plan.name).copied().unwrap_or(plan.timeout),
            variables: with_addresses(&plan.variables),
        })
    });
    let more = options.more.iter().map(|function| {
        let variables = with_addresses(&function.variables);
        Function { variables, ..function.clone() }
    });
    planned.chain(more).collect()
}

/// A folder that is gone with its value.
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Folder> {
        let name = format!("citipen-emulator-{:016x}", u64::from_be_bytes(random_bytes()));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        tracing::warn!(error = %error, "the folder of an emulator stays");
    }
}

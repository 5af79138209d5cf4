//! The workspace: configuration, archive, inventory, plugins and lake, opened together.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use semver::Version;
use wardflow_manifest::{Manifest, PluginId, Scope};

use crate::{
    archive::{self, Archive, FlowsDigest, Health, Listing, SliceInput, read_inventory},
    bindings::bindings,
    config::{Config, KeyFile},
    detect::{Allowance, Budget, Groups, World},
    detector::Detector,
    device::{DHCP, Inventory},
    error::{Context, Error, Result},
    files,
    lake::{KEY_MARK, Lake, Table},
    parameters,
    reset::Resets,
    sandbox::{Compiler, Pin, Pins, Sandbox, check_size, inspect},
    time::HOUR,
};

/// Name of the file that pins plugins.
pub const PINS: &str = "plugins.lock";

/// Everything that a command works on.
#[derive(Debug)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Workspace {
    pub config: Config,
    pub archive: Archive,
    pub listing: Listing,
    pub health: Health,
    pub lake: Lake,
    pub world: Arc<World>,
    pub plugins: Plugins,
    /// Why no baseline reset counts. Plugins must not run then: they would go on from what is to be forgotten.
    pub unread_resets: Option<Error>,
}

/// What lies in the plugin directory.
#[derive(Debug)]
pub struct Plugins {
    /// One entry a file, in order of file name, and then one for each plugin that ran before and is missing.
    pub offered: Vec<Offered>,
    pins: Pins,
    approval_required: bool,
}

/// A file in the plugin directory, or a plugin that should be there.
#[derive(Debug)]
pub struct Offered {
    /// The file; the directory, of one that is missing.
    pub file: PathBuf,
    /// The plugin's id, if it is known.
    pub id: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What the component says of itself, if it is one.
    pub manifest: Option<Manifest>,
    /// BLAKE3 of the file, if it is a component.
    pub digest: Option<String>,
    /// Whether it will run.
    pub status: PinStatus,
    /// Why it will not run, if it will not.
    pub reason: Option<String>,
    bytes: Arc<[u8]>,
}

/// A file in the plugin directory that cannot run, and why.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Refusal<'a> {
    pub offered: &'a Offered,
    pub reason: String,
}

/// Whether a plugin will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinStatus {
    /// Its bytes are those in `plugins.lock`.
    Pinned,
    /// It is not in `plugins.lock` yet.
    New,
    /// Its bytes are others than those in `plugins.lock`.
    Changed,
    /// It is disabled in `wardflow.toml`.
    Disabled,
    /// It is no plugin, or none that can run here.
    Refused,
    /// It ran before, and no file is it any more.
    Missing,
}

impl PinStatus {
    /// The word in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Disabled => "disabled",
            Self::Refused => "refused",
            Self::Missing => "missing",
        }
    }
}

/// A plugin with its settings in this workspace.
#[derive(Clone, Debug)]
pub struct ReadyPlugin {
    /// The detector.
    pub detector: Arc<dyn Detector>,
    /// Parameters as a JSON object, defaults filled in.
    pub parameters: Arc<str>,
    /// Who belongs to its peer groups.
    pub groups: Arc<Groups>,
    /// Digest of parameters, groups and the pseudonym key. See [`is_same_config`](crate::lake::is_same_config).
    pub config_digest: String,
    /// Most findings of a session in a slice.
    pub most_findings: usize,
    /// What it may cost.
    pub allowed: Allowance,
}

impl Workspace {
    /// Opens the workspace of a configuration. `options` are those of object stores.
    ///
    /// # Errors
    /// The archive cannot be listed, the inventory is wrong, or the plugin directory cannot be read.
    pub async fn open(config: Config, options: &[(String, String)]) -> Result<Self> {
        let archive = open_archive(&config, options)?;
        if let Some(directory) = archive.directory().filter(|directory| !directory.is_dir()) {
            let remedy = "correct `archive` in wardflow.toml, mount what should be there, or make the directory";
            return Err(Error::usage(format!("the archive {} is not there", directory.display())).remedy(remedy));
        }
        let listing = archive.list().await?;
        let lake = Lake::open(&config.lake, &config.root, options)?;
        let mut entries = config.inventory.as_deref().map(read_inventory).transpose()?.unwrap_or_default();
        let leases = bindings(&entries, &archive.leases().await?);
        entries.extend(leases);
        let health = Health::new(&listing.files, &archive.sensor_reports().await?);
        let (resets, unread_resets) = match lake.remarks(Table::Resets).await {
            Ok(resets) => (Resets::new(resets), None),
            Err(error) => (Resets::default(), Some(error)),
        };
        let world = Arc::new(World {
            inventory: Inventory::new(entries),
            space: config.space.clone(),
            infrastructure: config.infrastructure.clone(),
            timezone: config.timezone.clone(),
            key: KeyFile::at(&config.key),
            resets,
        });
        let plugins = Plugins::read(&config)?;
        Ok(Self { config, archive, listing, health, lake, world, plugins, unread_resets })
    }

    /// The archive's slices. Their digests are also of what is known of the time beside the flows, so that a lease or a report
    /// of a sensor that comes late has its slice analysed again.
    pub fn slices(&self, hours: u32) -> Vec<SliceInput> {
        let mut slices = archive::slices(&self.listing.files, hours);
        let leases: Vec<_> = self.world.inventory.entries().iter().filter(|entry| entry.source == DHCP).collect();
        let length = i64::from(hours.max(1)) * HOUR;
        for slice in &mut slices {
            // Of a long stretch without flows its beginning tells enough.
            let end = slice.end.min(slice.start.saturating_add(length));
            if let Some(trouble) = self.health.trouble(slice.start, end) {
                slice.digest += FlowsDigest::of(trouble.as_bytes());
            }
            // Only what holds within the slice: a renewal changes the slices after it alone.
            for entry in leases.iter().filter(|entry| entry.valid_from < end && slice.start < entry.valid_to) {
                let (from, to) = (entry.valid_from.max(slice.start), entry.valid_to.min(end));
                let binding = format!("{} {:?} {from} {to}", entry.device_id, entry.ip);
                slice.digest += FlowsDigest::of(binding.as_bytes());
            }
        }
        slices
    }

    /// Compiles the plugins that may run and are `wanted`, in order of id, and tells why others cannot run.
    ///
    /// # Errors
    /// The sandbox cannot start, or what `wardflow.toml` sets for a plugin is wrong.
    pub fn ready(
        &self,
        compiler: Compiler,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<ReadyPlugin>, Vec<Refusal<'_>>)> {
        let sandbox = Sandbox::new(self.config.limits.clone(), compiler)?;
        let mut ready = BTreeMap::new();
        let mut refused = Vec::new();
        for offered in &self.plugins.offered {
            let id = offered.manifest.as_ref().map(|manifest| &manifest.id);
            if !offered.id.as_deref().is_none_or(&wanted) {
                continue;
            }
            if matches!(offered.status, PinStatus::Changed | PinStatus::Refused | PinStatus::Missing) {
                refused.push(Refusal { offered, reason: offered.reason.clone().unwrap_or_default() });
            }
            let Some(id) = id.filter(|_| matches!(offered.status, PinStatus::Pinned | PinStatus::New)) else {
                continue;
            };
            let has_settings = self.config.plugin.contains_key(id.as_str());
            match sandbox.load(&offered.bytes) {
                Err(error) => refused.push(Refusal { offered, reason: describe(&error) }),
                Ok(plugin) => match self.settle(Arc::new(plugin)) {
                    Ok(plugin) => _ = ready.insert(id.clone(), plugin),
                    Err(error) if has_settings => return Err(error),
                    Err(error) => refused.push(Refusal { offered, reason: describe(&error) }),
                },
            }
        }
        Ok((ready.into_values().collect(), refused))
    }

    /// Joins a detector with its settings.
    ///
    /// # Errors
    /// A parameter breaks the manifest's schema, or a peer group is not declared.
    pub fn settle(&self, detector: Arc<dyn Detector>) -> Result<ReadyPlugin> {
        let manifest = detector.manifest();
        let settings = self.config.plugin.get(manifest.id.as_str()).cloned().unwrap_or_default();
        let parameters = parameters::settle(manifest, &settings.parameters)?;
        let groups = Groups::new(manifest, &settings.peer_groups)?;
        let mut config_digest = blake3::hash(format!("{parameters}\n{groups:?}").as_bytes()).to_hex()[..32].to_owned();
        // Under another key, states are about devices that nobody knows.
        if let Ok(key) = self.world.key.get() {
            config_digest = format!("{config_digest}{KEY_MARK}{:016x}", key.device(""));
        }
        let limits = &self.config.limits;
        Ok(ReadyPlugin {
            parameters: parameters.into(),
            groups: Arc::new(groups),
            config_digest,
            most_findings: limits.findings,
            allowed: limits.into(),
            detector,
        })
    }

    /// Pins the new among these plugins to the bytes that are about to run.
    ///
    /// # Errors
    /// `plugins.lock` cannot be written.
    pub fn pin(&self, run: &[ReadyPlugin]) -> Result<()> {
        let add = |pins: &mut Pins| {
            for detector in run.iter().map(|plugin| &plugin.detector) {
                pins.pin(&detector.manifest().id, &detector.manifest().version, detector.digest());
            }
        };
        let mut pins = self.plugins.pins.clone();
        add(&mut pins);
        // Where nothing is new, the workspace may be one that cannot be written to.
        if pins == self.plugins.pins { Ok(()) } else { Pins::change(&self.config.root.join(PINS), add).map(drop) }
    }
}

/// The archive of a configuration. `options` are those of object stores.
///
/// # Errors
/// Its location is none.
pub fn open_archive(config: &Config, options: &[(String, String)]) -> Result<Archive> {
    let archive = Archive::open_with(&config.archive, &config.root, options.iter().cloned())?;
    Ok(archive.mapped(config.mapping.clone()))
}

impl ReadyPlugin {
    /// A fresh budget for faults.
    pub fn budget(&self) -> Arc<Budget> {
        Arc::new(Budget::new(self.allowed))
    }

    /// The plugin's id.
    pub fn id(&self) -> &PluginId {
        &self.detector.manifest().id
    }
}

impl Plugins {
    /// For which devices there are plugins that may run.
    pub fn scopes(&self) -> Vec<Scope> {
        let may_run = |offered: &&Offered| matches!(offered.status, PinStatus::Pinned | PinStatus::New);
        self.offered
            .iter()
            .filter(may_run)
            .filter_map(|offered| Some(offered.manifest.as_ref()?.scope.clone()))
            .collect()
    }

    /// Inspects every `*.wasm` of the plugin directory. No guest code runs and nothing is compiled.
    ///
    /// # Errors
    /// The directory or `plugins.lock` cannot be read.
    pub fn read(config: &Config) -> Result<Self> {
        let pins = Pins::read(&config.root.join(PINS))?;
        let mut plugins = Self { offered: Vec::new(), pins, approval_required: config.approval_required };
        for file in wasm_files(&config.plugins)? {
            let offered = plugins.offer(file, config);
            plugins.offered.push(offered);
        }
        plugins.refuse_namesakes();
        plugins.miss(config);
        Ok(plugins)
    }

    /// Adds the plugins that ran before and that no file is any more: what they would look at is looked at by nobody.
    fn miss(&mut self, config: &Config) {
        let is_there = |id: &str| self.offered.iter().any(|offered| offered.id.as_deref() == Some(id));
        let is_disabled = |id: &str| config.plugin.get(id).is_some_and(|settings| settings.disabled);
        let missing = self.pins.newest().into_iter().filter(|(id, ..)| !is_there(id) && !is_disabled(id));
        let missing: Vec<_> =
            missing.map(|(id, version, digest)| Offered::missing(id, &version, digest, config)).collect();
        self.offered.extend(missing);
    }

    fn offer(&self, file: PathBuf, config: &Config) -> Offered {
        let refused = |file: PathBuf, error: &Error| Offered {
            file,
            id: None,
            version: None,
            manifest: None,
            digest: None,
            status: PinStatus::Refused,
            reason: Some(describe(error)),
            bytes: Arc::from([]),
        };
        let size = fs::metadata(&file).map_or(0, |metadata| metadata.len());
        let read = check_size(size, &config.limits)
            .and_then(|()| read_at_most(&file, u64::from(config.limits.component_mib) << 20));
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return refused(file, &error),
        };
        let inspection = match inspect(&bytes, &config.limits) {
            Ok(inspection) => inspection,
            Err(error) => return refused(file, &error),
        };
        let id = inspection.manifest.id.clone();
        let settings = config.plugin.get(id.as_str());
        let (status, reason) = if settings.is_some_and(|settings| settings.disabled) {
            (PinStatus::Disabled, Some("disabled in wardflow.toml".to_owned()))
        } else {
            self.standing(&inspection.manifest, &inspection.digest)
        };
        Offered {
            file,
            id: Some(id.to_string()),
            version: Some(inspection.manifest.version.to_string()),
            manifest: Some(inspection.manifest),
            digest: Some(inspection.digest),
            status,
            reason,
            bytes: bytes.into(),
        }
    }

    fn standing(&self, manifest: &Manifest, digest: &str) -> (PinStatus, Option<String>) {
        let approve =
            format!("ask the publisher whether {digest} is theirs; then `wardflow plugin approve {}`", manifest.id);
        match self.pins.check(&manifest.id, &manifest.version, digest) {
            Pin::Changed { was } => {
                (PinStatus::Changed, Some(format!("version {} is pinned to {was}; {approve}", manifest.version)))
            }
            Pin::New | Pin::Pinned { approved: false } if self.approval_required => (
                PinStatus::Refused,
                Some(format!("it is not approved, and wardflow.toml says approval = \"required\"; {approve}")),
            ),
            Pin::New => (PinStatus::New, None),
            Pin::Pinned { .. } => (PinStatus::Pinned, None),
        }
    }

    /// Two files with one id: the one runs that is pinned. If none is, or several are, which of them is meant cannot be told.
    fn refuse_namesakes(&mut self) {
        let mut files: BTreeMap<PluginId, Vec<String>> = BTreeMap::new();
        let mut pinned: BTreeMap<PluginId, u32> = BTreeMap::new();
        for offered in &self.offered {
            if let Some(manifest) = &offered.manifest {
                files.entry(manifest.id.clone()).or_default().push(offered.file.display().to_string());
                *pinned.entry(manifest.id.clone()).or_default() += u32::from(offered.status == PinStatus::Pinned);
            }
        }
        for offered in &mut self.offered {
            let Some(id) = offered.manifest.as_ref().map(|manifest| &manifest.id) else { continue };
            let is_meant = offered.status == PinStatus::Pinned && pinned.get(id) == Some(&1);
            if let Some(same) = files.get(id).filter(|same| same.len() > 1 && !is_meant) {
                offered.status = PinStatus::Refused;
                offered.reason = Some(format!("its id is that of {}: keep one of them", same.join(", ")));
            }
        }
    }
}

impl Offered {
    fn missing(id: &str, version: &Version, digest: &str, config: &Config) -> Self {
        let directory = config.plugins.display();
        let reason = format!(
            "it ran before, and no file in {directory} is it any more; put it back, or write [plugin.\"{id}\"] \
             disabled = true in wardflow.toml"
        );
        Self {
            file: config.plugins.clone(),
            id: Some(id.to_owned()),
            version: Some(version.to_string()),
            manifest: None,
            digest: Some(digest.to_owned()),
            status: PinStatus::Missing,
            reason: Some(reason),
            bytes: Arc::from([]),
        }
    }
}

fn wasm_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("the directory of plugins, {}, cannot be read", directory.display());
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let remedy = "correct `plugins` in wardflow.toml, or make the directory";
            return Err(Error::usage(doing()).because(error).remedy(remedy));
        }
        entries => entries.context(doing)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.context(doing)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a regular file to its end, or a byte further than this.
///
/// # Errors
/// It cannot be read, or is something else, such as a pipe, for which nobody waits.
pub fn read_at_most(file: &Path, most: u64) -> Result<Vec<u8>> {
    files::read(file, most).context(|| format!("{} cannot be read", file.display()))
}

/// An error with its causes and its remedy, in one line.
pub fn describe(error: &Error) -> String {
    let mut text = error.reason();
    if let Some(remedy) = error.remedy_text() {
        text.push_str("; ");
        text.push_str(remedy);
    }
    text
}

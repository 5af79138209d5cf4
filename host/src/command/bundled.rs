//! The plugins that the binary carries.

#[cfg(has_plugins)]
macro_rules! bundle {
    ($($name:literal),+ $(,)?) => {[$((
        concat!($name, ".wasm"),
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/dist/", $name, ".wasm")),
    )),+]};
}

#[cfg(not(has_plugins))]
macro_rules! bundle {
    ($($name:literal),+ $(,)?) => {
        []
    };
}

/// File name and bytes of each bundled plugin, where `make plugins` puts them; none if the host was built before they were.
///
/// A list by name, and not by a build script: only this file is compiled anew when a plugin changes, and not the
/// library.
pub(super) const PLUGINS: &[(&str, &[u8])] = &bundle!(
    "beacon",
    "brute-force",
    "dns-tunnel",
    "exfiltration",
    "failed-contact",
    "flood",
    "imaging-modality",
    "infusion-pump",
    "lateral-movement",
    "long-connection",
    "new-behaviour",
    "patient-monitor",
    "scan",
    "silence",
);

#[cfg(all(test, has_plugins))]
mod tests {
    use std::{fs, path::Path};

    use super::PLUGINS;

    #[test]
    fn each_plugin_is_bundled_but_benchmarks_and_the_hostile_one() {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let mut expected: Vec<String> = fs::read_dir(folders)
            .expect("plugins/")
            .map(|entry| entry.expect("a folder"))
            .filter(|entry| entry.path().join("plugin.toml").is_file())
            .map(|entry| entry.file_name().into_string().expect("a name"))
            .filter(|name| name != "hostile" && !name.starts_with("bench-"))
            .map(|name| format!("{name}.wasm"))
            .collect();
        expected.sort();
        assert_eq!(PLUGINS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>(), expected);
    }
}

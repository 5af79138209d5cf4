//! A new plugin's project: small, complete, and passing its own tests. It stands under `plugins/kit`; `build.rs` puts it
//! into the binary, so that a project is made without internet.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use wardflow_manifest::PluginId;

use crate::error::{Context, Error, Result};

/// A file of a project, by its path from `plugins/kit`, and whether it can be run.
type File = (&'static str, &'static [u8], bool);

/// Every file of every language, of all languages together (`common`), and of the SDK (`sdk`).
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/kit.rs"));

/// The id that the files have, and the name of what is built of them.
const ID: &str = "example/regularity";
const NAME: &str = "regularity";

/// A language that projects can be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    Rust,
    C,
    Python,
}

impl Language {
    /// The folder with its files.
    const fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Python => "python",
        }
    }

    /// Linear memory that the project's plugin is given, in MiB: an interpreter takes 13 from the start.
    const fn memory_mib(self) -> u32 {
        match self {
            Self::Rust | Self::C => 16,
            Self::Python => 64,
        }
    }

    /// Other folders that go with it, and where they go.
    const fn parts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => &[("sdk", "wardflow")],
            Self::C | Self::Python => {
                &[("sdk/wit/detector.wit", "wit/detector.wit"), ("sdk/wit/manifest.md", "wit/manifest.md")]
            }
        }
    }
}

/// Makes a project of a plugin in a directory that is not there yet. Returns its files.
///
/// # Errors
/// The directory is there, or cannot be written; nothing is left of it then.
pub fn make(directory: &Path, id: &PluginId, language: Language, device_class: Option<&str>) -> Result<Vec<PathBuf>> {
    let shown = directory.display();
    if directory.symlink_metadata().is_ok() {
        return Err(Error::usage(format!("{shown} is there already")).remedy("name another directory with --dir"));
    }
    if let Some(class) = device_class.filter(|class| {
        class.is_empty() || class.contains(|letter: char| letter.is_control() || ['"', '\\', ','].contains(&letter))
    }) {
        return Err(Error::usage(format!("{class:?} is no device class")).remedy("one is such as infusion-pump"));
    }
    let doing = || format!("cannot make {shown}");
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).context(doing)?;
    let unfinished = tempfile::Builder::new().prefix(".wardflow-new-").tempdir_in(parent).context(doing)?;
    let mut made = Vec::new();
    for (path, bytes, is_program) in FILES {
        let Some(place) = place(path, language) else { continue };
        let name = id.as_str().split_once('/').map_or(id.as_str(), |(_, name)| name);
        let is_own = !place.starts_with("wardflow/");
        let place = if is_own { place.replace(NAME, name) } else { place };
        let file = unfinished.path().join(&place);
        fs::create_dir_all(file.parent().unwrap_or(directory)).context(doing)?;
        match std::str::from_utf8(bytes) {
            Ok(text) if is_own => fs::write(&file, fill(text, id, name, language, device_class)).context(doing)?,
            _ => fs::write(&file, bytes).context(doing)?,
        }
        let mode = if *is_program { 0o755 } else { 0o644 };
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).context(doing)?;
        made.push(PathBuf::from(place));
    }
    fs::set_permissions(unfinished.path(), fs::Permissions::from_mode(0o755)).context(doing)?;
    fs::rename(unfinished.path(), directory).context(doing)?;
    made.sort();
    Ok(made)
}

/// Where a file goes in a project of a language, if it is part of one.
fn place(path: &str, language: Language) -> Option<String> {
    let inside = |folder: &str| path.strip_prefix(folder)?.strip_prefix('/');
    let own = inside("common").or_else(|| inside(language.folder()));
    if let Some(own) = own {
        return Some(if own == "gitignore" { ".gitignore".to_owned() } else { own.to_owned() });
    }
    language.parts().iter().find_map(|(from, to)| match path == *from {
        true => Some((*to).to_owned()),
        false => Some(format!("{to}/{}", inside(from)?)),
    })
}

/// The text with the project's own id, name and device class.
fn fill(text: &str, id: &PluginId, name: &str, language: Language, device_class: Option<&str>) -> String {
    let mut text = text.replace(ID, id.as_str());
    // Of a Rust crate, in code without hyphens. A plugin may have a name that no crate can have, such as `loop` or `serde`.
    text = text.replace("regularity_plugin", &format!("{}_plugin", name.replace('-', "_")));
    text = replace_words(&text, NAME, name);
    text = text.replace("memory_mib = 16", &format!("memory_mib = {}", language.memory_mib()));
    if let Some((vendor, _)) = id.as_str().split_once('/') {
        text = text.replace("publisher = \"Example\"", &format!("publisher = \"{vendor}\""));
    }
    if let Some(class) = device_class {
        text = text.replace("device_classes = []", &format!("device_classes = [\"{class}\"]"));
        text = text.replace(",unknown,", &format!(",{class},"));
    }
    text
}

/// Replaces a word where it stands for itself, not inside another.
fn replace_words(text: &str, word: &str, by: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let is_part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        let is_word = !is_part(before.chars().next_back()) && !is_part(after.chars().next());
        replaced.push_str(before);
        replaced.push_str(if is_word { by } else { word });
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wardflow_manifest::Manifest;

    use super::{Language, make};
    use crate::kit::case::Case;

    #[test]
    fn a_project_is_made_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        for language in [Language::Rust, Language::C, Language::Python] {
            let project = directory.path().join(language.folder());
            let files = make(&project, &"acme/drip-rate".parse().unwrap(), language, Some("infusion-pump")).unwrap();
            for file in ["plugin.toml", "build", "README.md", ".gitignore", "cases/regular/expected.json"] {
                assert!(files.iter().any(|path| path.as_os_str() == file), "{file} in {files:?}");
            }
            let manifest = Manifest::from_toml(&fs::read_to_string(project.join("plugin.toml")).unwrap()).unwrap();
            assert_eq!((manifest.id.as_str(), manifest.publisher.as_str()), ("acme/drip-rate", "acme"));
            assert_eq!(manifest.scope.device_classes, ["infusion-pump"]);
            assert_eq!(Case::all(&project).unwrap().len(), 2);
            assert!(fs::read_to_string(project.join("build")).unwrap().contains("-o drip-rate.wasm"));
            let error = make(&project, &"acme/drip-rate".parse().unwrap(), language, None).unwrap_err();
            assert!(error.to_string().ends_with("is there already"), "{error}");
        }
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }
}

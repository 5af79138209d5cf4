/// Makes a plugin of a [`Detector`](crate::Detector): `export!(Scan, include_str!("../plugin.toml"))`, once a crate.
///
/// In the sandbox it emits the contract's exports. Elsewhere it defines `pub fn plugin()`, which gives the
/// [`Plugin`](crate::native::Plugin) for tests, benchmarks and hosts that link the detector natively, or says what is
/// wrong with the manifest.
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! export {
    ($detector:ty, $manifest:expr $(,)?) => {
        /// The detector with its manifest, linked natively.
        ///
        /// # Errors
        /// The manifest is refused.
        pub fn plugin() -> ::core::result::Result<$crate::native::Plugin, $crate::manifest::ManifestError> {
            $crate::native::Plugin::of::<$detector>($manifest)
        }
    };
}

/// Makes a plugin of a [`Detector`](crate::Detector): emits the contract's exports. The manifest is not part of the
/// code; `wardflow-pack` puts it into the component.
#[cfg(target_arch = "wasm32")]
#[macro_export]
macro_rules! export {
    ($detector:ty, $manifest:expr $(,)?) => {
        struct Plugin;

        impl $crate::wasm::exports::wardflow::detector::detector::Guest for Plugin {
            type Session = $crate::wasm::Session<$detector>;
        }

        $crate::wasm::export_plugin!(Plugin with_types_in $crate::wasm);
    };
}

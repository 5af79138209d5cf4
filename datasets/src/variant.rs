//! Variants: how much care an attacker takes.

use crate::names::named;

named! {
    /// How loud incidents are. Of each there is one of either kind, and both do harm.
    pub enum Variant, "variant" {
        /// Fast, large and regular, at any hour: whoever looks sees it.
        Easy = "easy",
        /// Slow, small and irregular, through plausible ports and peers, and in usual hours where that fits. It still
        /// differs from all that the device and its class ordinarily do.
        Stealthy = "stealthy",
    }
}

//! What a guest says to its author: the contract's `diagnostics`. It is a stranger's text, and nothing that is found hangs on
//! it.

use wasmtime::{
    StoreContextMut,
    component::{Linker, WasmStr},
};

use super::{fault::cleaned, host::State};
use crate::detector::{Fault, FaultKind};

const DIAGNOSTICS: &str = "wardflow:detector/diagnostics@0.1.0";
/// Bytes of a text that are kept.
const TEXT_BYTES: usize = 1024;
/// Texts of a session in a slice that are kept.
const TEXTS: usize = 64;
/// Bytes of the last text that a fault repeats.
const LAST_BYTES: usize = 300;

/// What the session that was opened last has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    texts: Vec<String>,
    /// How many texts were kept, taken or not.
    kept: usize,
    /// The last text, kept or not: a talkative model must not hide its own panic.
    last: Option<String>,
}

impl Said {
    /// The texts that were kept since they were taken last.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.texts)
    }

    /// A fault with the last text, which often is the reason.
    pub(super) fn before(&self, fault: Fault) -> Fault {
        match &self.last {
            Some(last) if fault.kind != FaultKind::Stopped => {
                let last = cleaned(last, LAST_BYTES);
                Fault { message: format!("{} (it said last: \"{last}\")", fault.message), ..fault }
            }
            _ => fault,
        }
    }

    fn push(&mut self, text: String) {
        if self.kept < TEXTS {
            self.kept += 1;
            self.texts.push(text.clone());
        }
        self.last = Some(text);
    }
}

/// Gives a linker the interface. The generated one would copy each text whole; this looks at it in the guest's memory, and
/// copies its beginning. A text beyond `result_bytes` is a fault, as a result is; one in UTF-16 is decoded whole within that,
/// and let go at once.
///
/// # Errors
/// None, unless the linker has it already.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(DIAGNOSTICS)?.func_wrap("log", |mut store: StoreContextMut<'_, State>, (text,): (WasmStr,)| {
        let text = cleaned(&text.to_str(&store)?, TEXT_BYTES);
        store.data_mut().said.push(text);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        detector::{Detector, FaultKind, Instance, Stop},
        sandbox::{
            Plugin,
            testing::{Flows, Guest, open, run},
        },
    };

    const SAY_LOUD: &str = "(call $log (i32.const 512) (i32.const 4))";

    /// Says these bytes, written to a place of their own.
    fn say(bytes: &str, times: u32) -> Guest {
        Guest::default().with("memory", "16").with("items", &format!("(data (i32.const 131072) \"{bytes}\")")).with(
            "observe",
            &format!(
                "(local.set $session (i32.const {times}))
                 (loop
                   (call $log (i32.const 131072) (i32.const {}))
                   (br_if 0 (local.tee $session (i32.sub (local.get $session) (i32.const 1)))))",
                wat_bytes(bytes)
            ),
        )
    }

    /// Bytes of a text in which an escape such as `\1b` stands for one.
    fn wat_bytes(text: &str) -> usize {
        text.len() - 2 * text.matches('\\').count()
    }

    /// What a guest says in `observe`.
    fn said(plugin: &Plugin) -> Vec<String> {
        let mut instance = plugin.instantiate(1, &Stop::default()).unwrap();
        observe(&mut *instance)
    }

    /// What an instance says in the `observe` of a new session.
    fn observe(instance: &mut dyn Instance) -> Vec<String> {
        let session = open(instance).unwrap();
        instance.observe(session, Box::new(Flows(vec![7]))).unwrap();
        instance.said()
    }

    #[test]
    fn what_is_said_is_told_once() {
        let plugin = Guest::default().with("observe", SAY_LOUD).load();
        let mut instance = plugin.instantiate(1, &Stop::default()).unwrap();
        assert_eq!(observe(&mut *instance), ["loud"]);
        assert_eq!(instance.said(), Vec::<String>::new());
        run(&plugin).expect("what is said changes nothing");
    }

    #[test]
    fn the_last_text_goes_along_with_a_fault() {
        let check = |hole: &'static str, then: &str, expected: &str| {
            let fault = run(&Guest::default().with(hole, &format!("{SAY_LOUD} {then}")).load()).unwrap_err();
            assert_eq!(fault.to_string(), format!("{expected} (it said last: \"loud\")"));
        };
        check("observe", "(unreachable)", "observe: wasm trap: wasm `unreachable` instruction executed, in observe");
        check(
            "observe",
            "(loop (br 0))",
            "observe: CPU time of a call: over 40 ms asked, 40 ms allowed (observe_ms in [limits]), in observe",
        );
        check(
            "save",
            "(f64.store (i32.const 648) (f64.const 2))",
            "save: saved state with learned 2; it must lie in [0, 1]",
        );
    }

    #[test]
    fn a_text_is_short_and_harmless() {
        for (bytes, expected) in [
            ("a\\1b[2Jb\\0a", "a\\u{1b}[2Jb\\n".to_owned()),
            ("\\e2\\80\\aex", "\\u{202e}x".to_owned()),
            (&"x".repeat(1_024), "x".repeat(1_024)),
            (&"x".repeat(60_000), "x".repeat(1_024) + "…"),
            (&("x".to_owned() + &"é".repeat(1_000)), "x".to_owned() + &"é".repeat(512) + "…"),
        ] {
            assert_eq!(said(&say(bytes, 1).load()), [expected]);
        }
        let fault = run(&say(&"x".repeat(1_000), 1).with("end-slice", "(unreachable)").load()).unwrap_err().message;
        assert!(fault.ends_with(&format!("(it said last: \"{}…\")", "x".repeat(300))), "{fault}");
        let fault = run(&say("\\ff", 1).load()).unwrap_err();
        assert_eq!((fault.kind, fault.message.contains("invalid utf-8")), (FaultKind::Contract, true), "{fault}");
    }

    /// Texts without end cost the guest its deadline, and the host no memory.
    #[test]
    fn a_session_is_heard_64_times_a_slice() {
        let plugin = say("x", 65).load();
        let mut instance = plugin.instantiate(2, &Stop::default()).unwrap();
        assert_eq!(observe(&mut *instance).len(), 64);
        assert_eq!(observe(&mut *instance).len(), 64, "another session is heard anew");
        let panics = format!("{SAY_LOUD} (unreachable)");
        let fault = run(&say("x", 1_000).with("end-slice", &panics).load()).unwrap_err().message;
        assert!(fault.ends_with("(it said last: \"loud\")"), "{fault}");
        let endless = "(loop (call $log (i32.const 65536) (i32.const 900000)) (br 0))";
        let plugin = Guest::default().with("memory", "16").with("observe", endless).load();
        let mut instance = plugin.instantiate(1, &Stop::default()).unwrap();
        let session = open(&mut *instance).unwrap();
        let fault = instance.observe(session, Box::new(Flows(vec![7]))).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Limit);
        assert!(instance.said().iter().map(String::len).sum::<usize>() < 512 << 10);
    }
}

//! A plugin: a component that was inspected, compiled and linked, ready to be instantiated.

use std::{fmt, sync::Arc};

use wasmtime::{
    Store,
    component::{Component, Linker, Resource, ResourceAny, types::ComponentItem},
};

use super::{
    bindings::{self, wardflow::detector::types},
    host::{self, Lent, State},
    inspect::{EXPORT, Inspection},
    instance::Running,
    limits::memory_bytes,
};
use crate::{
    detector::{Detector, Fault, Instance, Stop},
    limits::Limits,
};
use wardflow_manifest::{Manifest, PluginId};

/// Handles that an instance may have beside one a session: for the batch, and for what a call has in hand.
pub(super) const HANDLES: usize = 64;

/// A plugin, shared by all its instances. Cloning it is cheap.
#[derive(Clone)]
pub struct Plugin {
    inspection: Arc<Inspection>,
    limits: Arc<Limits>,
    guest: bindings::PluginPre<State>,
}

impl Plugin {
    /// Links a component with the imports of the contract and checks the types of its exports. No guest code runs.
    pub(super) fn link(inspection: Inspection, component: &Component, limits: Arc<Limits>) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(component.engine());
        host::link(&mut linker)?;
        let guest = bindings::PluginPre::new(linker.instantiate_pre(component)?)?;
        check_exports(&guest)?;
        Ok(Self { inspection: Arc::new(inspection), limits, guest })
    }

    /// The plugin's id.
    pub fn id(&self) -> &PluginId {
        &self.inspection.manifest.id
    }

    /// The plugin's version.
    pub fn version(&self) -> String {
        self.inspection.manifest.version.to_string()
    }

    /// What was seen in its file.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }
}

impl Detector for Plugin {
    fn manifest(&self) -> &Manifest {
        &self.inspection.manifest
    }

    fn digest(&self) -> &str {
        &self.inspection.digest
    }

    fn memory(&self) -> usize {
        memory_bytes(self.manifest())
    }

    fn instantiate(&self, sessions: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault> {
        let state = State::new(self.manifest(), &self.limits, stop.clone());
        let mut store = Store::new(self.guest.engine(), state);
        store.limiter(|state| &mut state.allocation);
        store.set_hostcall_fuel(self.limits.result_bytes);
        store.set_max_component_handles(sessions + HANDLES);
        store.epoch_deadline_callback(|mut store| store.data_mut().deadline.tick());
        Ok(Box::new(Running::start(store, &self.guest, Arc::clone(&self.limits), sessions)?))
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inspection { manifest, digest, .. } = self.inspection();
        write!(f, "Plugin({} {} {})", manifest.id, manifest.version, &digest[..12])
    }
}

/// Checks the types of the exports now, where it costs once; instantiating would find out as well, but late.
fn check_exports(guest: &bindings::PluginPre<State>) -> wasmtime::Result<()> {
    let pre = guest.instance_pre();
    let check = |name: &str, is_right: &dyn Fn(&wasmtime::component::types::ComponentFunc) -> wasmtime::Result<()>| {
        let instance = pre.component().get_export_index(None, EXPORT);
        match pre.component().get_export(instance.as_ref(), name) {
            Some((ComponentItem::ComponentFunc(function), _)) => {
                is_right(&function).map_err(|error| error.context(format!("export `{name}` has another type")))
            }
            _ => Err(wasmtime::format_err!("export `{name}` is missing")),
        }
    };
    let kinds = pre.instance_type();
    check("[static]session.open", &|function| {
        function.typecheck::<(types::DeviceFacts<'_>, &str, Option<&[u8]>), (Result<ResourceAny, types::OpenError>,)>(
            &kinds,
        )
    })?;
    check("[method]session.observe", &|function| {
        function.typecheck::<(ResourceAny, Resource<Lent>), (Vec<types::Finding>,)>(&kinds)
    })?;
    check("[method]session.end-slice", &|function| {
        function.typecheck::<(ResourceAny, i64, i64, &[types::Gap]), (Vec<types::Finding>,)>(&kinds)
    })?;
    check("[method]session.save", &|function| function.typecheck::<(ResourceAny,), (types::SavedState,)>(&kinds))
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use crate::{
        detector::{Cost, Detector, FaultKind, Opened, Saved, Stop},
        limits::Limits,
        sandbox::{
            Sandbox,
            engine::TICK,
            testing::{Flows, Guest, device, open, run},
        },
    };

    const SPIN: &str = "(loop (br 0))";

    fn check(guest: Guest, kind: FaultKind, expected: &str) {
        let fault = run(&guest.load()).expect_err("ran to its end");
        assert_eq!((fault.kind, fault.to_string().as_str()), (kind, expected));
    }

    fn at(hole: &'static str, text: &str) -> Guest {
        Guest::default().with(hole, text)
    }

    #[test]
    fn a_good_guest_reports_and_saves() {
        let plugin = at("observe", "(call $peer (local.get $batch) (i32.const 16))").load();
        let mut instance = plugin.instantiate(1, &Stop::default()).unwrap();
        let session = open(&mut *instance).unwrap();
        assert_eq!(instance.observe(session, Box::new(Flows(vec![7; 5]))).unwrap(), []);
        let reports = instance.end_slice(session, 0, 100, &[]).unwrap();
        let [report] = reports.as_slice() else { panic!("{reports:?}") };
        assert_eq!((report.kind.as_str(), report.summary.as_str()), ("loud", "two flows"));
        assert_eq!((report.peer, report.flow_count, report.severity), (Some(7), 5, None));
        assert_eq!((report.first_time, report.last_time, report.score), (10, 20, 0.5));
        let saved = instance.save(session).unwrap();
        assert_eq!(saved, Saved { bytes: b"state".to_vec(), learned: 0.5, ready: true });
        let Cost { cpu, bytes, memory } = instance.cost();
        assert!(!cpu.is_zero());
        assert_eq!((bytes, memory), (40, 1 << 16));
    }

    #[test]
    fn an_instance_remembers_nothing_of_another() {
        let plugin = at(
            "observe",
            "(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
            (if (i32.ne (i32.load (i32.const 8)) (i32.const 1)) (then (unreachable)))",
        )
        .load();
        for _ in 0..3 {
            run(&plugin).unwrap();
        }
    }

    #[test]
    fn an_unreadable_state_is_no_fault() {
        let refuse = |case: u32| {
            format!(
                "(i32.store8 (i32.const 128) (i32.const 1)) (i32.store8 (i32.const 132) (i32.const {case}))
                 (i32.store (i32.const 136) (i32.const 512)) (i32.store (i32.const 140) (i32.const 4))
                 (return (i32.const 128))"
            )
        };
        for (case, expected) in
            [(0, Opened::StateUnreadable("loud".to_owned())), (1, Opened::ParametersRefused("loud".to_owned()))]
        {
            let plugin = at("open", &refuse(case)).load();
            let mut instance = plugin.instantiate(1, &Stop::default()).unwrap();
            assert_eq!(instance.open(&device(), "{}", Some(b"state")).unwrap(), expected);
        }
    }

    #[test]
    fn a_trap_names_what_happened_and_where() {
        let trap = FaultKind::Trap;
        check(
            at("observe", "(unreachable)"),
            trap,
            "observe: wasm trap: wasm `unreachable` instruction executed, in observe",
        );
        check(
            at("save", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
            trap,
            "save: wasm trap: integer divide by zero, in save",
        );
        check(
            at("end-slice", "(drop (i32.load (i32.const -8)))"),
            trap,
            "end-slice: wasm trap: out of bounds memory access, in end-slice",
        );
        check(
            at("items", "(func $deep (param i32) (call $deep (local.get 0)) (drop (i32.load (local.get 0))))")
                .with("open", "(call $deep (i32.const 0))"),
            trap,
            "open: wasm trap: call stack exhausted, in deep, called by deep, called by deep",
        );
        check(
            at("items", "(func $start (unreachable)) (start $start)"),
            trap,
            "instantiate: wasm trap: wasm `unreachable` instruction executed, in start",
        );
    }

    #[test]
    fn a_spin_is_stopped_wherever_it_is() {
        for (hole, call, setting) in [
            ("open", "open", "open_ms"),
            ("observe", "observe", "observe_ms"),
            ("end-slice", "end-slice", "end_slice_ms"),
            ("save", "save", "end_slice_ms"),
            ("post-return", "observe", "observe_ms"),
        ] {
            let place = if hole == "post-return" { "post-return" } else { call };
            check(
                at(hole, SPIN),
                FaultKind::Limit,
                &format!(
                    "{call}: CPU time of a call: over 40 ms asked, 40 ms allowed ({setting} in [limits]), in {place}"
                ),
            );
        }
        check(
            at("realloc", SPIN),
            FaultKind::Limit,
            "open: CPU time of a call: over 40 ms asked, 40 ms allowed (open_ms in [limits]), in realloc",
        );
        check(
            at("items", "(func $start (loop (br 0))) (start $start)"),
            FaultKind::Limit,
            "instantiate: CPU time of a call: over 40 ms asked, 40 ms allowed (instantiate_ms in [limits]), in start",
        );
    }

    #[test]
    fn memory_past_the_limit_traps() {
        let bomb = "(loop (drop (memory.grow (i32.const 1))) (br 0))";
        check(
            at("observe", bomb),
            FaultKind::Limit,
            "observe: linear memory: 2 MiB asked, 1 MiB allowed (memory_mib in the plugin's manifest, up to \
             memory_mib in [limits]), in observe",
        );
        check(
            at("memory", "17"),
            FaultKind::Limit,
            "instantiate: linear memory: 2 MiB asked, 1 MiB allowed (memory_mib in the plugin's manifest, up to \
             memory_mib in [limits])",
        );
        run(&at("memory", "1 2")
            .with("observe", "(if (i32.ne (memory.grow (i32.const 2)) (i32.const -1)) (then (unreachable)))")
            .load())
        .expect("growth past the memory's own maximum is the guest's own affair");
        check(
            at("table", "100001"),
            FaultKind::Limit,
            "instantiate: table elements: 100001 asked, 100000 allowed (table_elements in [limits])",
        );
        check(
            at("observe", "(drop (table.grow $table (ref.null func) (i32.const 2000000)))"),
            FaultKind::Limit,
            "observe: table elements: 2000001 asked, 100000 allowed (table_elements in [limits]), in observe",
        );
    }

    #[test]
    fn results_are_bounded() {
        check(
            at("end-slice", "(return (call $reports (i32.const 65536) (i32.const 1001)))").with("memory", "4"),
            FaultKind::Limit,
            "end-slice: findings of a session: 1001 asked, 1000 allowed (findings in [limits])",
        );
        check(
            at("save", "(i32.store (i32.const 644) (i32.const 65537)) (return (i32.const 640))").with("memory", "4"),
            FaultKind::Limit,
            "save: saved state: 65537 bytes asked, 65536 bytes allowed (state_bytes in [limits])",
        );
        check(
            at("save", "(i32.store (i32.const 644) (i32.const 9000000)) (return (i32.const 640))")
                .with("memory", "160")
                .manifest("memory_mib = 1", "memory_mib = 16"),
            FaultKind::Limit,
            "save: bytes of a call's result: over 8388608 asked, 8388608 allowed (result_bytes in [limits])",
        );
    }

    #[test]
    fn handles_are_bounded() {
        check(
            at("open", "(loop (drop (call $new (i32.const 1))) (br 0))"),
            FaultKind::Limit,
            "open: handles of an instance: over 65 asked, 65 allowed (the shard's devices and 64 more), in open",
        );
    }

    #[test]
    fn the_contract_is_enforced_at_the_boundary() {
        check(
            at("observe", "(call $protocol (local.get $batch) (i32.const 16))"),
            FaultKind::Contract,
            "observe: column `protocol` is not declared in the manifest, in observe",
        );
        check(
            at("observe", "(return (call $reports (i32.const 256) (i32.const 0)))"),
            FaultKind::Contract,
            "observe: borrow handles still remain at the end of the call",
        );
        check(
            at("save", "(f64.store (i32.const 648) (f64.const nan))"),
            FaultKind::Contract,
            "save: saved state with learned NaN; it must lie in [0, 1]",
        );
        for (size, expected) in [
            ("-1", "save: list pointer/length out of bounds of memory"),
            ("70000", "save: list pointer/length out of bounds of memory"),
        ] {
            let save = format!("(i32.store (i32.const 644) (i32.const {size})) (return (i32.const 640))");
            check(at("save", &save), FaultKind::Contract, expected);
        }
    }

    #[test]
    fn guest_destructors_never_run() {
        run(&at("drop", SPIN).load()).unwrap();
    }

    #[test]
    fn what_faulted_has_its_cost() {
        let plugin = at("observe", SPIN).load();
        let mut instance = plugin.instantiate(1, &Stop::default()).unwrap();
        let session = open(&mut *instance).unwrap();
        instance.observe(session, Box::new(Flows(vec![7]))).unwrap_err();
        assert!(instance.cost().cpu >= Duration::from_millis(40), "{:?}", instance.cost());
    }

    #[test]
    fn a_stop_ends_what_runs() {
        let bytes = at("observe", SPIN).build();
        let plugin = Sandbox::new(Limits::default(), crate::sandbox::Compiler::here()).unwrap().load(&bytes).unwrap();
        for wait in [Duration::ZERO, TICK * 2] {
            let stop = Stop::default();
            let mut instance = plugin.instantiate(1, &stop).unwrap();
            let session = open(&mut *instance).unwrap();
            let fault = thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(wait);
                    stop.stop();
                });
                instance.observe(session, Box::new(Flows(vec![7]))).unwrap_err()
            });
            assert_eq!((fault.kind, fault.to_string().as_str()), (FaultKind::Stopped, "observe: the run was stopped"));
        }
    }
}

//! Flows as a Zeek `conn.log` in its own format, tab-separated.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use wardflow_datasets::Flow;

use crate::Result;

const FIELDS: &str = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes \
                      conn_state local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts \
                      resp_ip_bytes tunnel_parents";
const TYPES: &str = "time string addr port addr port enum string interval count count string bool bool count string \
                     count count count count set[string]";

/// Writes it.
pub(crate) fn write(path: &Path, flows: impl Iterator<Item = Flow>) -> Result<()> {
    let mut log = BufWriter::new(File::create(path)?);
    let tabbed = |names: &str| names.split_whitespace().collect::<Vec<_>>().join("\t");
    writeln!(log, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn")?;
    writeln!(log, "#fields\t{}\n#types\t{}", tabbed(FIELDS), tabbed(TYPES))?;
    for flow in flows {
        let protocol = match flow.protocol {
            1 => "icmp",
            6 => "tcp",
            17 => "udp",
            _ => "unknown_transport",
        };
        let service = if flow.service.is_empty() { "-" } else { flow.service };
        let (start, duration) = (flow.start_us, flow.end_us - flow.start_us);
        writeln!(
            log,
            "{}.{:06}\tC{:016x}\t{}\t{}\t{}\t{}\t{protocol}\t{service}\t{}.{:06}\t{}\t{}\t{}\tT\tT\t0\tShADadFf\t{}\t{}\t{}\t{}\t-",
            start / 1_000_000,
            start % 1_000_000,
            flow.uid,
            flow.src_ip,
            flow.src_port,
            flow.dst_ip,
            flow.dst_port,
            duration / 1_000_000,
            duration % 1_000_000,
            flow.src_bytes,
            flow.dst_bytes,
            flow.conn_state.as_str(),
            flow.src_packets,
            flow.src_bytes + 40 * flow.src_packets,
            flow.dst_packets,
            flow.dst_bytes + 40 * flow.dst_packets,
        )?;
    }
    Ok(log.flush()?)
}

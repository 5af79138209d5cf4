/* Wardflow's detector contract 0.1.0 for C: what a model is given, and what it gives back. detector.wit has the rules.
 *
 * A model is one C file that defines `struct session` and the five names under "The model". wardflow.c does the rest. No
 * libc, no malloc: sessions get zeroed memory from wardflow.c, and all that is made during one call, columns and findings
 * too, lies in scratch memory that is free again when the host has read the result.
 */
#ifndef WARDFLOW_H
#define WARDFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Values. Their layout is that of the component model's canonical ABI, so nothing is ever converted. ---- */

typedef struct { const char *at; size_t length; } wf_text; /* UTF-8, without a zero at its end */
typedef struct { const uint8_t *at; size_t length; } wf_bytes;
typedef struct { const uint16_t *at; size_t length; } wf_u16s;
typedef struct { const uint32_t *at; size_t length; } wf_u32s;
typedef struct { const uint64_t *at; size_t length; } wf_u64s;
typedef struct { const int64_t *at; size_t length; } wf_s64s; /* timestamps: microseconds since 1970 */

typedef struct { bool some; uint8_t value; } wf_maybe_u8;
typedef struct { bool some; uint16_t value; } wf_maybe_u16;
typedef struct { bool some; uint64_t value; } wf_maybe_u64;
typedef struct { bool some; double value; } wf_maybe_f64;

/* A text of a literal. */
#define WF_TEXT(literal) ((wf_text){(literal), sizeof(literal) - 1})

typedef struct {
    uint64_t pseudonym;
    wf_text class, manufacturer, model, firmware;
    uint32_t zone;
} wf_device;

typedef struct { int64_t start, end; } wf_gap;
typedef struct { const wf_gap *at; size_t length; } wf_gaps;

enum { WF_INFORMATIONAL, WF_LOW, WF_MEDIUM, WF_HIGH, WF_CRITICAL }; /* severity */

typedef struct {
    wf_text name;
    double measured;
    wf_maybe_f64 expected_low, expected_high;
    wf_text unit;
} wf_observation;

typedef struct {
    wf_text kind;
    wf_maybe_u8 severity; /* absent: what the manifest gives the kind */
    double score, confidence;
    int64_t first_time, last_time;
    wf_maybe_u64 peer;
    wf_maybe_u16 peer_port;
    wf_maybe_u8 protocol;
    uint64_t flow_count;
    wf_text summary, cause_key;
    struct { const wf_observation *at; size_t length; } observations;
    wf_u32s examples;
} wf_finding;

typedef struct { const wf_finding *at; size_t length; } wf_findings;

typedef struct {
    wf_bytes bytes;
    double learned;
    bool ready;
} wf_saved;

/* What came of opening a session. */
typedef enum { WF_STATE_UNREADABLE, WF_PARAMETERS_REFUSED, WF_OPENED } wf_opened;

/* ---- The model ---- */

struct session; /* the detector's state for one device, without pointers into scratch memory */

extern const size_t session_size; /* sizeof(struct session) */

/* Begins a slice, with `session` all zero. `state.at` is NULL where there is none. Without WF_OPENED, `why` says it. */
wf_opened session_open(struct session *session, const wf_device *device, wf_text parameters, wf_bytes state, wf_text *why);

/* The batch is lent until this returns, and so is what its columns point to. */
typedef struct wf_batch *wf_batch;
wf_findings session_observe(struct session *session, wf_batch batch);

wf_findings session_end_slice(struct session *session, int64_t start, int64_t end, wf_gaps gaps);

/* The last call: the memory of the session is used for another one afterwards. */
wf_saved session_save(struct session *session);

/* ---- A batch's columns. Each call copies the column from the host; each must be declared in plugin.toml. ---- */

uint32_t wf_len(wf_batch batch);
uint32_t wf_first_row(wf_batch batch);
#define WF_COLUMNS(column) \
    column(start_time, "start-time", wf_s64s) \
    column(end_time, "end-time", wf_s64s) \
    column(direction, "direction", wf_bytes) \
    column(peer, "peer", wf_u64s) \
    column(peer_scope, "peer-scope", wf_bytes) \
    column(peer_class, "peer-class", wf_u32s) \
    column(peer_role, "peer-role", wf_bytes) \
    column(peer_zone, "peer-zone", wf_u32s) \
    column(peer_group, "peer-group", wf_u16s) \
    column(peer_prevalence, "peer-prevalence", wf_u32s) \
    column(local_port, "local-port", wf_u16s) \
    column(peer_port, "peer-port", wf_u16s) \
    column(protocol, "protocol", wf_bytes) \
    column(service, "service", wf_u32s) \
    column(bytes_sent, "bytes-sent", wf_u64s) \
    column(bytes_received, "bytes-received", wf_u64s) \
    column(packets_sent, "packets-sent", wf_u64s) \
    column(packets_received, "packets-received", wf_u64s) \
    column(conn_state, "conn-state", wf_bytes) \
    column(minute_of_week, "minute-of-week", wf_u16s) \
    column(local_role, "local-role", wf_bytes)
#define WF_DECLARE(c_name, name, type) type wf_##c_name(wf_batch batch);
WF_COLUMNS(WF_DECLARE) /* wf_s64s wf_end_time(wf_batch batch); and so on */

/* ---- Helpers ---- */

/* Scratch memory, aligned to 8, not cleared. Its contents last until the host has read the result of the running call. */
void *wf_scratch(size_t bytes);

/* A number of the parameters, rounded as IEEE asks for. False if there is no such key, or no number that fits a double
 * without more than 19 digits before or after the point. */
bool wf_number(wf_text json, const char *key, double *value);

/* A line that is put together in scratch memory; what goes beyond 240 bytes is cut off. Begin with `wf_line line = {0}`. */
typedef struct { char *at; size_t length; } wf_line;
void wf_put(wf_line *line, const char *text);
void wf_put_u64(wf_line *line, uint64_t number);
wf_text wf_line_text(const wf_line *line);

/* Says a line to you, the author: a trace shows it, and the last one before a fault goes along with the fault. It never reaches
 * findings. Of a line 1 KiB is kept, and 64 lines of a session in a slice. */
void wf_log(wf_text line);

/* sqrt(): one instruction in WebAssembly, so rounded exactly. abs, floor, ceil, min and max are such instructions too, as
 * __builtin_fabs and so on; log, exp and the like come from nowhere here. */
static inline double wf_sqrt(double number) {
    return __builtin_sqrt(number);
}

#endif

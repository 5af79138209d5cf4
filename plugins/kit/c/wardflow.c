/* The component ABI of the contract "wardflow:detector@0.1.0", hidden from the model. Nothing here is to be changed for
 * another model; SCRATCH_BYTES and the memory in plugin.toml go together. NOTES.md lists names and signatures.
 */
#include "wardflow.h"

#define FLOWS "wardflow:detector/flows@0.1.0"
#define DIAGNOSTICS "wardflow:detector/diagnostics@0.1.0"
#define DETECTOR "wardflow:detector/detector@0.1.0"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name), visibility("default")))

/* All 20 columns of a batch need 0.8 MiB, the saved state that comes in 64 KiB. */
#define SCRATCH_BYTES (2 << 20)
#define LINE_BYTES 240
#define PAGE_BYTES 65536

_Static_assert(sizeof(void *) == 4 && sizeof(bool) == 1, "for wasm32");
_Static_assert(sizeof(wf_observation) == 56 && offsetof(wf_observation, unit) == 48, "as the canonical ABI has it");
_Static_assert(sizeof(wf_finding) == 112 && offsetof(wf_finding, score) == 16, "as the canonical ABI has it");
_Static_assert(offsetof(wf_finding, peer_port) == 64 && offsetof(wf_finding, protocol) == 68, "as the canonical ABI has it");
_Static_assert(offsetof(wf_finding, flow_count) == 72 && offsetof(wf_finding, examples) == 104, "as the canonical ABI has it");
_Static_assert(sizeof(wf_saved) == 24 && offsetof(wf_saved, ready) == 16, "as the canonical ABI has it");

/* ---- Memory ---- */

static _Alignas(8) uint8_t scratch[SCRATCH_BYTES];
static size_t scratch_used;

IMPORT(DIAGNOSTICS, "log") void import_log(const char *at, size_t length);

void wf_log(wf_text line) {
    import_log(line.at, line.length);
}

/* A trap is a fault of the device's session. */
__attribute__((noreturn)) static void fail(wf_text why) {
    wf_log(why);
    __builtin_trap();
}

void *wf_scratch(size_t bytes) {
    if (bytes > SCRATCH_BYTES - scratch_used) fail(WF_TEXT("out of scratch memory: see SCRATCH_BYTES in wardflow.c"));
    void *memory = scratch + scratch_used;
    scratch_used += (bytes + 7) & ~(size_t)7; /* SCRATCH_BYTES is a multiple of 8 too */
    return memory;
}

/* With this the host makes room for what it hands over: arguments before a call, columns during one. */
EXPORT("cabi_realloc") void *cabi_realloc(uint8_t *old, size_t old_bytes, size_t align, size_t bytes) {
    (void)align; /* 8 at most */
    uint8_t *memory = wf_scratch(bytes);
    for (size_t i = 0; i < old_bytes && i < bytes; i++) memory[i] = old[i];
    return memory;
}

/* Called when the host has read the result of a call. */
EXPORT("cabi_post_" DETECTOR "#[static]session.open") void post_open(void *result) {
    (void)result;
    scratch_used = 0;
}
EXPORT("cabi_post_" DETECTOR "#[method]session.observe") void post_observe(void *result) {
    post_open(result);
}
EXPORT("cabi_post_" DETECTOR "#[method]session.end-slice") void post_end_slice(void *result) {
    post_open(result);
}
EXPORT("cabi_post_" DETECTOR "#[method]session.save") void post_save(void *result) {
    post_open(result);
}

/* Sessions lie one behind the other in memory of their own; those that were saved are used again. In the free ones the
 * first word links to the next. */
typedef struct place { struct place *next; } place;
static place *free_places;
static uint8_t *places_end;
static size_t places_left;

static struct session *new_session(void) {
    size_t bytes = (session_size + 7) & ~(size_t)7;
    uint8_t *memory = (uint8_t *)free_places;
    if (memory) {
        free_places = free_places->next;
    } else {
        if (places_left < bytes) {
            size_t pages = (bytes - places_left + PAGE_BYTES - 1) / PAGE_BYTES;
            size_t before = __builtin_wasm_memory_grow(0, pages);
            if (before == (size_t)-1) fail(WF_TEXT("out of memory for sessions: see memory_mib in plugin.toml"));
            if (!places_end) places_end = (uint8_t *)(before * PAGE_BYTES);
            places_left += pages * PAGE_BYTES;
        }
        memory = places_end;
        places_end += bytes;
        places_left -= bytes;
    }
    for (size_t i = 0; i < bytes; i++) memory[i] = 0;
    return (struct session *)memory;
}

static void free_session(struct session *session) {
    place *freed = (place *)session;
    freed->next = free_places;
    free_places = freed;
}

/* ---- What the host offers ---- */

IMPORT(FLOWS, "[method]flow-batch.len") uint32_t import_len(wf_batch batch);
IMPORT(FLOWS, "[method]flow-batch.first-row") uint32_t import_first_row(wf_batch batch);
IMPORT(FLOWS, "[resource-drop]flow-batch") void drop_batch(wf_batch batch);
IMPORT("[export]" DETECTOR, "[resource-new]session") uint32_t new_handle(struct session *session);

uint32_t wf_len(wf_batch batch) {
    return import_len(batch);
}

uint32_t wf_first_row(wf_batch batch) {
    return import_first_row(batch);
}

#define COLUMN(c_name, name, type) \
    IMPORT(FLOWS, "[method]flow-batch." name) void import_##c_name(wf_batch batch, type *column); \
    type wf_##c_name(wf_batch batch) { \
        type column; \
        import_##c_name(batch, &column); \
        return column; \
    }
WF_COLUMNS(COLUMN)

/* ---- What the host calls. More than 16 words would come in memory; `open` has 15. ---- */

/* result<own<session>, open-error> */
static struct {
    uint8_t is_error;
    union {
        uint32_t handle;
        struct { uint8_t kind; wf_text why; } error;
    };
} opened;
_Static_assert(sizeof opened == 16, "as the canonical ABI has it");

static wf_findings findings;
static wf_saved saved;

EXPORT(DETECTOR "#[static]session.open")
void *export_open(uint64_t pseudonym, const char *class, size_t class_length, const char *manufacturer,
                  size_t manufacturer_length, const char *model, size_t model_length, const char *firmware,
                  size_t firmware_length, uint32_t zone, const char *parameters, size_t parameters_length,
                  uint32_t has_state, const uint8_t *state, size_t state_length) {
    wf_device device = {
        pseudonym, {class, class_length}, {manufacturer, manufacturer_length}, {model, model_length},
        {firmware, firmware_length}, zone,
    };
    wf_bytes bytes = {has_state ? state : NULL, has_state ? state_length : 0};
    wf_text why = {"", 0};
    struct session *session = new_session();
    wf_opened outcome = session_open(session, &device, (wf_text){parameters, parameters_length}, bytes, &why);
    opened.is_error = outcome != WF_OPENED;
    if (outcome == WF_OPENED) {
        opened.handle = new_handle(session);
    } else {
        free_session(session);
        opened.error.kind = (uint8_t)outcome;
        opened.error.why = why;
    }
    return &opened;
}

EXPORT(DETECTOR "#[method]session.observe")
void *export_observe(struct session *session, wf_batch batch) {
    findings = session_observe(session, batch);
    drop_batch(batch);
    return &findings;
}

EXPORT(DETECTOR "#[method]session.end-slice")
void *export_end_slice(struct session *session, int64_t start, int64_t end, const wf_gap *gaps, size_t gaps_length) {
    findings = session_end_slice(session, start, end, (wf_gaps){gaps, gaps_length});
    return &findings;
}

EXPORT(DETECTOR "#[method]session.save")
void *export_save(struct session *session) {
    saved = session_save(session);
    free_session(session); /* what `saved` points to lies in scratch memory */
    return &saved;
}

/* ---- Helpers ---- */

void wf_put(wf_line *line, const char *text) {
    if (!line->at) line->at = wf_scratch(LINE_BYTES);
    while (*text && line->length < LINE_BYTES) line->at[line->length++] = *text++;
}

void wf_put_u64(wf_line *line, uint64_t number) {
    char digits[21];
    char *first = digits + sizeof digits - 1;
    *first = 0;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    wf_put(line, first);
}

wf_text wf_line_text(const wf_line *line) {
    return (wf_text){line->at ? line->at : "", line->length};
}

/* numerator / denominator, rounded once: 54 or 55 bits of the quotient by long division, and one for what is left. */
static double divide(uint64_t numerator, uint64_t denominator) {
    if (numerator == 0) return 0;
    int exponent = 0;
    while (!(numerator >> 63)) numerator <<= 1, exponent--;
    while (!(denominator >> 63)) denominator <<= 1, exponent++;
    uint64_t quotient = 0;
    for (int bit = 0; bit <= 54; bit++) {
        bool is_beyond = bit > 0 && numerator >> 63;
        numerator <<= bit > 0;
        bool is_one = is_beyond || numerator >= denominator;
        if (is_one) numerator -= denominator;
        quotient = quotient << 1 | is_one;
    }
    double value = (double)(quotient << 1 | (numerator != 0));
    for (exponent -= 55; exponent > 0; exponent--) value *= 2;
    for (; exponent < 0; exponent++) value /= 2;
    return value;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool number_at(const char *at, const char *end, double *value) {
    bool is_negative = at < end && *at == '-';
    if (is_negative) at++;
    uint64_t digits = 0;
    int scale = 0; /* powers of ten to divide by */
    bool is_number = false, is_fraction = false;
    for (; at < end && (is_digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            is_fraction = true;
            continue;
        }
        if (digits > (UINT64_MAX - 9) / 10) return false;
        digits = digits * 10 + (uint64_t)(*at - '0');
        scale += is_fraction;
        is_number = true;
    }
    if (is_number && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool is_small = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        int power = 0;
        for (; at < end && is_digit(*at); at++) {
            if (power > 99) return false;
            power = power * 10 + (*at - '0');
        }
        scale += is_small ? power : -power;
    }
    uint64_t divisor = 1;
    for (; scale > 0; scale--) {
        if (divisor > UINT64_MAX / 10) return false;
        divisor *= 10;
    }
    for (; scale < 0; scale++) {
        if (digits > UINT64_MAX / 10) return false;
        digits *= 10;
    }
    *value = divide(digits, divisor);
    if (is_negative) *value = -*value;
    return is_number;
}

/* The host has parsed this JSON already, so it is valid; keys inside of inner objects, and of strings, are passed over. */
bool wf_number(wf_text json, const char *key, double *value) {
    const char *at = json.at, *end = json.at + json.length;
    int depth = 0;
    while (at < end) {
        char c = *at++;
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (c != '"') continue;
        const char *expected = key;
        bool is_key = depth == 1;
        for (; at < end && *at != '"'; at++) {
            if (*at == '\\') at++, is_key = false;
            else if (is_key && *expected == *at) expected++;
            else is_key = false;
        }
        at++;
        is_key = is_key && *expected == 0;
        while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
        if (at >= end || *at != ':') continue;
        at++;
        while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
        if (is_key) return number_at(at, end, value);
    }
    return false;
}

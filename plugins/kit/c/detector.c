/* Detector "example/regularity": a device that contacts one peer, port and protocol at nearly constant intervals.
 *
 * The interval's mean and variance are updated contact by contact (Welford), so a device costs at most 256 contacts of 40
 * bytes, however many flows it has. All arithmetic is IEEE double, in an order that other languages repeat exactly: do not
 * compile with -ffast-math.
 */
#include "wardflow.h"

enum { MOST_CONTACTS = 256, MOST_EXAMPLES = 20, INITIATED_BY_DEVICE = 0 };

/* What is saved of one peer, port and protocol, as it lies in memory: WebAssembly is always little-endian. */
typedef struct {
    uint64_t peer;
    int64_t last;
    double mean;    /* of the interval, s */
    double squares; /* sum of squared deviations from it, s² */
    uint32_t contacts;
    uint16_t port;
    uint8_t protocol;
    uint8_t zero;
} known;
_Static_assert(sizeof(known) == 40, "no padding: it is the saved state's format");

typedef struct {
    known known;
    /* Of this slice only. */
    uint32_t fresh;
    int64_t first;
    uint32_t examples[MOST_EXAMPLES];
} contact;

struct session {
    double least_contacts, most_variation;
    uint32_t count;
    uint16_t order[MOST_CONTACTS]; /* which of `contacts`, in order of key */
    contact contacts[MOST_CONTACTS];
};

const size_t session_size = sizeof(struct session);

/* The saved state: this, and `count` times `known` in order of key. */
typedef struct { uint32_t magic, count; } header;
enum { MAGIC = 0x31434c52 }; /* "RLC1": change it with the format */

/* Order of key: by peer, then port, then protocol, as numbers. */
static int compare(const known *a, const known *b) {
    if (a->peer != b->peer) return a->peer < b->peer ? -1 : 1;
    if (a->port != b->port) return a->port < b->port ? -1 : 1;
    return (int)a->protocol - (int)b->protocol;
}

/* Where in the order the key is, or would have to be. */
static uint32_t find(const struct session *session, const known *key, bool *is_there) {
    uint32_t low = 0, high = session->count;
    *is_there = false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare(&session->contacts[session->order[middle]].known, key);
        if (order == 0) {
            *is_there = true;
            return middle;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* The place in the order of the one that was silent longest; of equals, of the one with the smallest key. */
static uint32_t longest_silent(const struct session *session) {
    uint32_t found = 0;
    for (uint32_t i = 1; i < session->count; i++) {
        if (session->contacts[session->order[i]].known.last < session->contacts[session->order[found]].known.last) found = i;
    }
    return found;
}

/* A new contact at a place in the order, in memory of its own or of the one that is forgotten for it. */
static contact *insert(struct session *session, uint32_t place, const known *key) {
    uint16_t slot = (uint16_t)session->count;
    if (session->count == MOST_CONTACTS) {
        uint32_t forgotten = longest_silent(session);
        slot = session->order[forgotten];
        for (uint32_t i = forgotten; i + 1 < session->count; i++) session->order[i] = session->order[i + 1];
        session->count--;
        if (forgotten < place) place--;
    }
    for (uint32_t i = session->count; i > place; i--) session->order[i] = session->order[i - 1];
    session->order[place] = slot;
    session->count++;
    contact *new = &session->contacts[slot];
    new->known = *key;
    new->fresh = 0;
    return new;
}

/* Checks all that later code relies on; the bytes may come from another version, or be damaged. NULL if they are good. */
static const char *restore(struct session *session, wf_bytes state) {
    const header *head = (const header *)state.at;
    if (state.length < sizeof *head) return "it is shorter than its header";
    if (head->magic != MAGIC) return "it does not begin as a state of this detector does";
    if (head->count > MOST_CONTACTS || state.length != sizeof *head + head->count * sizeof(known)) {
        return "its length is not that of its contacts";
    }
    const known *saved = (const known *)(head + 1);
    for (uint32_t i = 0; i < head->count; i++) {
        if (i > 0 && compare(&saved[i - 1], &saved[i]) >= 0) return "its contacts are out of order";
        /* Infinity less itself is no number, and no number equals itself not. */
        bool is_finite = saved[i].mean - saved[i].mean == 0 && saved[i].squares - saved[i].squares == 0;
        if (saved[i].contacts == 0 || !is_finite) return "a contact's numbers make no sense";
        insert(session, i, &saved[i]);
    }
    return NULL;
}

static wf_text text(const char *literal) {
    size_t length = 0;
    while (literal[length]) length++;
    return (wf_text){literal, length};
}

wf_opened session_open(struct session *session, const wf_device *device, wf_text parameters, wf_bytes state, wf_text *why) {
    (void)device;
    /* The host has checked them against the schema in plugin.toml; here is what the model cannot do without. */
    if (!wf_number(parameters, "least_contacts", &session->least_contacts) || !(session->least_contacts >= 3)) {
        *why = WF_TEXT("least_contacts must be a number of at least 3");
        return WF_PARAMETERS_REFUSED;
    }
    if (!wf_number(parameters, "most_variation", &session->most_variation) ||
        !(session->most_variation > 0 && session->most_variation <= 1)) {
        *why = WF_TEXT("most_variation must be a number above 0 and at most 1");
        return WF_PARAMETERS_REFUSED;
    }
    const char *unreadable = state.at ? restore(session, state) : NULL;
    if (unreadable) {
        *why = text(unreadable);
        return WF_STATE_UNREADABLE;
    }
    return WF_OPENED;
}

wf_findings session_observe(struct session *session, wf_batch batch) {
    wf_s64s ends = wf_end_time(batch);
    wf_bytes directions = wf_direction(batch);
    wf_u64s peers = wf_peer(batch);
    wf_u16s ports = wf_peer_port(batch);
    wf_bytes protocols = wf_protocol(batch);
    uint32_t first_row = wf_first_row(batch);
    for (uint32_t row = 0; row < ends.length; row++) {
        if (directions.at[row] != INITIATED_BY_DEVICE) continue;
        int64_t end = ends.at[row];
        known key = {.peer = peers.at[row], .port = ports.at[row], .protocol = protocols.at[row], .contacts = 1};
        bool is_known;
        uint32_t place = find(session, &key, &is_known);
        contact *contact = is_known ? &session->contacts[session->order[place]] : insert(session, place, &key);
        known *known = &contact->known;
        if (is_known) {
            double gap = (double)(end - known->last) / 1e6;
            known->contacts++;
            double change = gap - known->mean;
            known->mean += change / (known->contacts - 1);
            known->squares += change * (gap - known->mean);
        }
        known->last = end;
        if (contact->fresh == 0) contact->first = end;
        if (contact->fresh < MOST_EXAMPLES) contact->examples[contact->fresh] = first_row + row;
        contact->fresh++;
    }
    return (wf_findings){NULL, 0};
}

static wf_finding report(const contact *contact, double variation, double most_variation) {
    const known *known = &contact->known;
    wf_observation *observations = wf_scratch(2 * sizeof *observations);
    observations[0] = (wf_observation){.name = WF_TEXT("interval-mean"), .measured = known->mean, .unit = WF_TEXT("s")};
    observations[1] = (wf_observation){
        .name = WF_TEXT("interval-variation"),
        .measured = variation,
        .expected_low = {true, most_variation},
        .unit = WF_TEXT("1"),
    };
    wf_line summary = {0};
    wf_put_u64(&summary, known->contacts);
    wf_put(&summary, " contacts, one every ");
    wf_put_u64(&summary, (uint64_t)(known->mean + 0.5));
    wf_put(&summary, " s");
    return (wf_finding){
        .kind = WF_TEXT("regular-contact"),
        .score = 1 - variation,
        .confidence = 1 - 1 / (double)(known->contacts - 1),
        .first_time = contact->first,
        .last_time = known->last,
        .peer = {true, known->peer},
        .peer_port = {true, known->port},
        .protocol = {true, known->protocol},
        .flow_count = contact->fresh,
        .summary = wf_line_text(&summary),
        .cause_key = WF_TEXT(""),
        .observations = {observations, 2},
        .examples = {contact->examples, contact->fresh < MOST_EXAMPLES ? contact->fresh : MOST_EXAMPLES},
    };
}

wf_findings session_end_slice(struct session *session, int64_t start, int64_t end, wf_gaps gaps) {
    (void)start, (void)end, (void)gaps;
    wf_finding *findings = wf_scratch(session->count * sizeof *findings);
    size_t count = 0;
    for (uint32_t i = 0; i < session->count; i++) {
        const contact *contact = &session->contacts[session->order[i]];
        const known *known = &contact->known;
        if (contact->fresh == 0 || known->contacts < session->least_contacts || !(known->mean > 0)) continue;
        double variation = wf_sqrt(known->squares / (known->contacts - 1)) / known->mean;
        if (variation <= session->most_variation) findings[count++] = report(contact, variation, session->most_variation);
    }
    return (wf_findings){findings, count};
}

wf_saved session_save(struct session *session) {
    size_t bytes = sizeof(header) + session->count * sizeof(known);
    header *head = wf_scratch(bytes);
    *head = (header){MAGIC, session->count};
    known *saved = (known *)(head + 1);
    for (uint32_t i = 0; i < session->count; i++) saved[i] = session->contacts[session->order[i]].known;
    return (wf_saved){{(const uint8_t *)head, bytes}, .learned = 1, .ready = true};
}

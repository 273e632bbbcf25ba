#include "slo.h"

#include "words.h"
#include <string.h>

#define NS_PER_MS 1e6

static bool parse_measure(struct span word, struct slo_clause *c)
{
    static const struct {
        const char *name;
        enum slo_measure measure;
    } words[] = {
        { "mean", SLO_MEAN }, { "errors", SLO_ERRORS }, { "shed", SLO_SHED }, { "rate", SLO_RATE }
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_equal(word, span_of(words[i].name))) {
            c->measure = words[i].measure;
            return true;
        }
    }
    c->measure = SLO_PERCENTILE;
    c->percent = 100;
    return span_equal(word, SPAN("max")) ||
           (span_starts(word, SPAN("p")) && words_number(span_from(word, 1), &c->percent) &&
            c->percent > 0 && c->percent <= 100);
}

static bool parse_limit(struct span word, struct slo_clause *c)
{
    int64_t ns = 0;
    switch (c->measure) {
    case SLO_PERCENTILE:
    case SLO_MEAN: {
        /* A bare number could be meant in milliseconds. */
        bool has_unit = word.length > 0 && strchr("smh", word.data[word.length - 1]) != NULL;
        bool parsed = has_unit && words_duration(word, &ns);
        c->limit = (double)ns / NS_PER_MS;
        return parsed;
    }
    case SLO_ERRORS:
    case SLO_SHED:
        return word.length > 0 && word.data[word.length - 1] == '%' &&
               words_number(span_slice(word, 0, word.length - 1), &c->limit) && c->limit <= 100;
    case SLO_RATE:
        return words_number(word, &c->limit);
    }
    return false;
}

/* Where < or > stands. */
static size_t find_sign(struct span text)
{
    size_t below = span_find(text, '<');
    size_t above = span_find(text, '>');
    return below < above ? below : above;
}

static bool parse_clause(struct span text, struct slo_clause *c)
{
    *c = (struct slo_clause){ .text = text, .route = ROUTE_COUNT };
    size_t sign = find_sign(text);
    struct span left = span_slice(text, 0, sign);
    struct span right = span_from(text, sign + 1);
    size_t colon = span_find(left, ':');
    if (sign == text.length) {
        return false;
    }
    if (colon < left.length && !route_find(span_slice(left, 0, colon), &c->route)) {
        return false;
    }
    c->below = text.data[sign] == '<';
    c->or_equal = span_starts(right, SPAN("="));
    return parse_measure(colon < left.length ? span_from(left, colon + 1) : left, c) &&
           parse_limit(span_from(right, c->or_equal ? 1 : 0), c);
}

enum err slo_parse(struct span text, struct slo *ret_slo, struct span *ret_bad)
{
    struct slo slo = { 0 };
    struct span piece = SPAN_NONE;
    *ret_bad = text;
    while (span_split(&text, ',', &piece)) {
        *ret_bad = piece;
        if (slo.count == SLO_MAX_CLAUSES ||
            !parse_clause(span_trim(piece), &slo.clauses[slo.count])) {
            return ERR_CONFIG;
        }
        slo.count++;
    }
    *ret_slo = slo;
    return slo.count > 0 ? ERR_OK : ERR_CONFIG;
}

static double actual_of(const struct slo_clause *c, const struct tally_group *g, double seconds)
{
    double total = (double)tally_total(g);
    switch (c->measure) {
    case SLO_PERCENTILE:
        return (double)recorder_at(g->times, c->percent) / NS_PER_MS;
    case SLO_MEAN:
        return recorder_mean(g->times) / NS_PER_MS;
    case SLO_ERRORS:
        return 100.0 * (double)g->errors / total;
    case SLO_SHED:
        return 100.0 * (double)g->count[OUTCOME_SHED] / total;
    case SLO_RATE:
        return seconds > 0 ? (double)g->count[OUTCOME_OK] / seconds : 0;
    }
    return 0;
}

static bool compare(const struct slo_clause *c, double actual)
{
    if (c->or_equal && actual == c->limit) {
        return true;
    }
    return c->below ? actual < c->limit : actual > c->limit;
}

enum err slo_judge(const struct slo_clause *c, const struct tally *t, double seconds,
                   struct slo_verdict *ret_verdict)
{
    struct tally_group g = { 0 };
    TRY(tally_sum(t, c->route, &g));
    bool is_time = c->measure == SLO_PERCENTILE || c->measure == SLO_MEAN;
    struct slo_verdict v = { .is_measured =
                                 is_time ? recorder_count(g.times) > 0 : tally_total(&g) > 0 };
    if (v.is_measured) {
        v.actual = actual_of(c, &g, seconds);
        v.holds = compare(c, v.actual);
    }
    recorder_free(g.times);
    *ret_verdict = v;
    return ERR_OK;
}

const char *slo_unit(const struct slo_clause *c)
{
    switch (c->measure) {
    case SLO_PERCENTILE:
    case SLO_MEAN:
        return "ms";
    case SLO_ERRORS:
    case SLO_SHED:
        return "%";
    case SLO_RATE:
        return "/s";
    }
    return "";
}

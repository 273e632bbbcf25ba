#include "measure.h"

#include "bench.h"

#define COMMON_OPTIONS 4

static bool take_number(const char *command, const struct measure_option *o, const char *text)
{
    uint64_t value = 0;
    if (!span_to_u64(span_of(text), o->most, &value) || value < o->least) {
        complain("%s: --%s is a number from %llu to %llu, not %s", command, o->name,
                 (unsigned long long)o->least, (unsigned long long)o->most, text);
        return false;
    }
    *o->ret_number = value;
    return true;
}

static int take_options(int argc, char **argv, const struct measure_option *all,
                        const struct option *known)
{
    int index = 0;
    int found = 0;
    while ((found = getopt_long(argc, argv, ":", known, &index)) != -1) {
        const struct measure_option *o = &all[index];
        if (found != 0) {
            return complain_about_option(argv);
        }
        if (o->ret_flag != NULL) {
            *o->ret_flag = true;
        } else if (o->ret_text != NULL) {
            *o->ret_text = optarg;
        } else if (!take_number(argv[0], o, optarg)) {
            return EXIT_REFUSED;
        }
    }
    if (optind < argc) {
        complain("%s: %s is one word too many", argv[0], argv[optind]);
        return EXIT_REFUSED;
    }
    return EXIT_GOOD;
}

int measure_options(int argc, char **argv, const struct measure_option *own,
                    struct measure_plan *plan)
{
    uint64_t ms = (uint64_t)plan->least_ns / 1000000;
    struct measure_option all[COMMON_OPTIONS + MEASURE_MAX_OPTIONS] = {
        { .name = "rounds", .ret_number = &plan->rounds, .least = 1, .most = MEASURE_MAX_ROUNDS },
        { .name = "ms", .ret_number = &ms, .least = 1, .most = 600000 },
        { .name = "json", .ret_flag = &plan->json },
        { .name = "case", .ret_text = &plan->only },
    };
    struct option known[COMMON_OPTIONS + MEASURE_MAX_OPTIONS + 1] = { 0 };
    size_t count = COMMON_OPTIONS;
    for (; own != NULL && own->name != NULL; own++) {
        INVARIANT(count < COMMON_OPTIONS + MEASURE_MAX_OPTIONS);
        all[count++] = *own;
    }
    for (size_t i = 0; i < count; i++) {
        known[i].name = all[i].name;
        known[i].has_arg = all[i].ret_flag != NULL ? no_argument : required_argument;
    }
    int code = take_options(argc, argv, all, known);
    plan->least_ns = (int64_t)ms * 1000000;
    return code;
}

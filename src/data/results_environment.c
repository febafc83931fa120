#include <math.h>

#include "results.h"

static void put_known(struct bm_json_writer *writer, json_t *object, const char *key, enum bm_known known) {
    if (known == BM_UNKNOWN)
        bm_json_put(writer, object, key, json_null());
    else
        bm_json_put_bool(writer, object, key, known == BM_YES);
}

static json_t *libraries_json(struct bm_json_writer *writer,
                              const struct bm_results_environment *environment) {
    json_t *object = bm_json_object(writer);
    bm_json_put_text(writer, object, "opencl_loader", environment->opencl_loader);
    bm_json_put_text(writer, object, "hwloc", environment->hwloc);
    bm_json_put_text(writer, object, "jansson", environment->jansson);
    return object;
}

static json_t *variables_json(struct bm_json_writer *writer,
                              const struct bm_results_environment *environment) {
    json_t *array = bm_json_array(writer);
    for (unsigned i = 0; i < environment->variable_count; i++) {
        const struct bm_results_variable *variable = &environment->variables[i];
        json_t *object = bm_json_object(writer);
        json_t *value = variable->withheld ? NULL : json_string(variable->value);
        bm_json_put_text(writer, object, "name", variable->name);
        bm_json_put(writer, object, "value", value != NULL ? value : json_null()); /* not UTF-8 */
        bm_json_append(writer, array, object);
    }
    return array;
}

static json_t *sensors_json(struct bm_json_writer *writer, const struct bm_results_environment *environment) {
    json_t *array = bm_json_array(writer);
    for (unsigned i = 0; i < environment->sensor_count; i++) {
        const struct bm_results_sensor *sensor = &environment->sensors[i];
        json_t *object = bm_json_object(writer);
        bm_json_put_text(writer, object, "name", sensor->name);
        bm_json_put_bool(writer, object, "available", sensor->available);
        bm_json_put_number(writer, object, "checked", sensor->checked);
        bm_json_put_number(writer, object, "tagged", sensor->tagged);
        bm_json_put_text(writer, object, "detail", sensor->detail);
        bm_json_append(writer, array, object);
    }
    return array;
}

json_t *bm_results_environment_json(struct bm_json_writer *writer,
                                    const struct bm_results_environment *environment) {
    json_t *object = bm_json_object(writer), *warnings = bm_json_array(writer);
    for (unsigned i = 0; i < environment->warning_count; i++) {
        json_t *line = json_string(environment->warnings[i]);
        if (line != NULL) /* else it quotes what is not UTF-8 */
            bm_json_append(writer, warnings, line);
    }
    put_known(writer, object, "turbo", environment->turbo);
    put_known(writer, object, "smt", environment->smt);
    put_known(writer, object, "numa_balancing", environment->numa_balancing);
    bm_json_put_text(writer, object, "numa_policy", environment->numa_policy);
    put_known(writer, object, "on_battery", environment->on_battery);
    bm_json_put_text(writer, object, "huge_pages", environment->huge_pages);
    bm_json_put_real(writer, object, "load_average", environment->load_average);
    bm_json_put_real(writer, object, "cpu_quota",
                     environment->cpu_quota > 0 ? environment->cpu_quota : (double)NAN);
    bm_json_put_count(writer, object, "memory_limit_bytes", environment->memory_limit_bytes);
    bm_json_put_text(writer, object, "cpuset", environment->cpuset);
    if (environment->swap_known)
        bm_json_put_number(writer, object, "swap_used_bytes", environment->swap_used_bytes);
    else
        bm_json_put(writer, object, "swap_used_bytes", json_null());
    bm_json_put(writer, object, "libraries", libraries_json(writer, environment));
    bm_json_put(writer, object, "variables", variables_json(writer, environment));
    bm_json_put(writer, object, "warnings", warnings);
    bm_json_put(writer, object, "sensors", sensors_json(writer, environment));
    return object;
}

/* report.h - results for people and for programs. */
#ifndef OB_SIM_REPORT_H
#define OB_SIM_REPORT_H

#include <stdio.h>

#include "sim.h"

const char *ob_sim_policy_name(ob_sim_policy policy);

/* The table: its head, and one row. */
void ob_sim_report_head(FILE *out);
void ob_sim_report_row(FILE *out, const ob_sim_spec *spec, ob_sim_policy policy,
                       const ob_sim_result *result);
/* Every figure of one run, with a line of words each. */
void ob_sim_report_all(FILE *out, const ob_sim_spec *spec, ob_sim_policy policy,
                       const ob_sim_result *result);
/* One JSON object on a line of its own. */
void ob_sim_report_json(FILE *out, const ob_sim_spec *spec,
                        ob_sim_policy policy, const ob_sim_result *result);

#endif

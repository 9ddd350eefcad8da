/* logtask.h - what tasks that read the request log have in common. */
#ifndef OB_ADMIN_LOGTASK_H
#define OB_ADMIN_LOGTASK_H

#include "../log/log.h"
#include "task.h"

/* Both fill the task's error where they or `status` fail. */
OB_MUST_USE ob_status ob_log_task_open(ob_task *task, ob_log_reader **reader);
ob_status ob_log_task_close(ob_task *task, ob_log_reader *reader,
                            ob_status status);
/* With task->out as JSON. */
void ob_log_task_answer(ob_task *task);
/* Answers with the task's error and frees it; it was not started. */
void ob_log_task_refuse(ob_task *task);

#endif

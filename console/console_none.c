#include "admin/console.h"

/* A build without node: "/" is the start page of page.c. */
const ob_console ob_console_built = {NULL, 0};

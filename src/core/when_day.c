#include "verdict.h"
#include "when.h"

#define HOUR_MS (3600 * 1000LL)
#define DAY_MS  (24 * HOUR_MS)
/* Until when midnights are computed. */
#define YEAR_MAX 2200

/* The calendar is counted in eras of 400 years that begin in March, so that
 * the leap day is the last of its year. */
int64_t ob_days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year =
        (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t year_of_day(int64_t days)
{
    int64_t year = 1970 + days / 366;
    while (ob_days_from_civil(year + 1, 1, 1) <= days)
        year++;
    return year;
}

/* The day of the nth (1..) Sunday of a month. 1970-01-01 was a Thursday. */
static int64_t nth_sunday(int64_t year, int month, int nth)
{
    int64_t first = ob_days_from_civil(year, month, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7;
    return first + (7 - weekday) % 7 + 7 * (nth - 1);
}

/* US law since 2007: daylight saving from the second Sunday of March, 2:00
 * standard time, to the first Sunday of November, 2:00 daylight time. */
static int64_t pacific_offset_ms(int64_t unix_ms)
{
    int64_t year = year_of_day((unix_ms - 8 * HOUR_MS) / DAY_MS);
    int64_t begin = nth_sunday(year, 3, 2) * DAY_MS + 10 * HOUR_MS;
    int64_t end = nth_sunday(year, 11, 1) * DAY_MS + 9 * HOUR_MS;
    return unix_ms >= begin && unix_ms < end ? -7 * HOUR_MS : -8 * HOUR_MS;
}

int64_t ob_until_midnight_ms(ob_zone zone, int64_t now_ms)
{
    if (now_ms < DAY_MS)
        now_ms = DAY_MS;
    if (now_ms > ob_days_from_civil(YEAR_MAX, 1, 1) * DAY_MS)
        now_ms = ob_days_from_civil(YEAR_MAX, 1, 1) * DAY_MS;
    if (zone == OB_ZONE_UTC)
        return DAY_MS - now_ms % DAY_MS;
    int64_t offset = pacific_offset_ms(now_ms);
    int64_t local = now_ms + offset;
    int64_t midnight = local - local % DAY_MS + DAY_MS;
    /* The clock may change between now and then. */
    offset = pacific_offset_ms(midnight - offset);
    return midnight - offset - now_ms;
}

#include "test.h"

#include "../../src/core/lane.h"

#define PLACES 200

/* Both heaps, the values and the sides agree. */
static void check_heap(const ob_lane *lane, const ob_lane_heap *heap,
                       ob_lane_side side)
{
    for (uint32_t at = 0; at < heap->count; at++) {
        uint32_t place = heap->places[at];
        assert_int_equal(lane->side[place], side);
        assert_int_equal(lane->index[place], at);
        if (at > 0) {
            uint32_t parent = heap->places[(at - 1) / 2];
            assert_true(lane->value[parent] <= lane->value[place]);
        }
    }
}

static void check_lane(const ob_lane *lane)
{
    uint32_t present = 0;
    check_heap(lane, &lane->ready, OB_LANE_READY);
    check_heap(lane, &lane->resting, OB_LANE_RESTING);
    for (uint32_t place = 0; place < lane->capacity; place++)
        present += lane->side[place] != OB_LANE_ABSENT;
    assert_int_equal(present, lane->ready.count + lane->resting.count);
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void lane_keeps_its_order_through_any_moves(void **state)
{
    ob_lane *lane;
    uint32_t seed = 7;
    assert_int_equal(ob_lane_new(OB_S("m"), PLACES, &lane), OB_OK);
    for (int i = 0; i < 5000; i++) {
        uint32_t place = random_next(&seed) % PLACES;
        uint32_t other = random_next(&seed) % PLACES;
        uint32_t what = random_next(&seed) % 4;
        if (what == 0)
            ob_lane_drop(lane, place);
        else if (what == 1 && lane->side[other] == OB_LANE_ABSENT)
            ob_lane_rename(lane, place, other);
        else
            ob_lane_put(lane, place,
                        what == 2 ? OB_LANE_READY : OB_LANE_RESTING,
                        random_next(&seed) % 50);
        check_lane(lane);
    }
    ob_lane_free(lane);
}

static void lane_gives_places_by_their_value(void **state)
{
    ob_lane *lane;
    uint32_t seed = 3;
    assert_int_equal(ob_lane_new(OB_S(""), PLACES, &lane), OB_OK);
    for (uint32_t place = 0; place < PLACES; place++)
        ob_lane_put(lane, place, OB_LANE_READY, random_next(&seed));
    uint64_t before = 0;
    while (lane->ready.count) {
        uint32_t place = lane->ready.places[0];
        assert_true(lane->value[place] >= before);
        before = lane->value[place];
        ob_lane_drop(lane, place);
    }
    ob_lane_free(lane);
}

static void lane_keeps_its_places_when_it_grows(void **state)
{
    ob_lane *lane;
    assert_int_equal(ob_lane_new(OB_S("m"), 0, &lane), OB_OK);
    ob_lane_drop(lane, 5); /* beyond its capacity: nothing to drop */
    assert_int_equal(ob_lane_grow(lane, 2), OB_OK);
    ob_lane_put(lane, 0, OB_LANE_READY, 9);
    ob_lane_put(lane, 1, OB_LANE_RESTING, 4);
    assert_int_equal(ob_lane_grow(lane, PLACES), OB_OK);
    assert_int_equal(ob_lane_grow(lane, 1), OB_OK); /* never shrinks */
    assert_int_equal(lane->capacity, PLACES);
    ob_lane_put(lane, PLACES - 1, OB_LANE_READY, 1);
    assert_int_equal(lane->ready.places[0], PLACES - 1);
    assert_int_equal(lane->resting.places[0], 1);
    check_lane(lane);
    ob_lane_free(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane_keeps_its_order_through_any_moves),
        cmocka_unit_test(lane_gives_places_by_their_value),
        cmocka_unit_test(lane_keeps_its_places_when_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

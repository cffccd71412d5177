from hub.gateway.wheel import Wheel


class Alarm:
    def __init__(self) -> None:
        self.slot = -1
        self.rung: list[float] = []

    def on_time(self, now_s: float) -> None:
        self.rung.append(now_s)


def test_a_deadline_comes_up_after_its_time_and_not_before() -> None:
    wheel, alarm = Wheel(now_s=100.0, tick_s=0.5), Alarm()
    wheel.set(alarm, 103.0)
    assert wheel.advance(103.0) == 0
    assert wheel.advance(103.5) == 1
    assert wheel.advance(200.0) == 0


def test_moving_a_deadline_forgets_the_old_one() -> None:
    wheel, alarm = Wheel(now_s=0.0), Alarm()
    wheel.set(alarm, 1.0)
    wheel.set(alarm, 3.0)
    wheel.advance(2.0)
    assert alarm.rung == []
    wheel.advance(4.0)
    assert alarm.rung == [4.0]


def test_a_cleared_deadline_never_comes() -> None:
    wheel, alarm = Wheel(now_s=0.0), Alarm()
    wheel.set(alarm, 1.0)
    wheel.clear(alarm)
    wheel.clear(alarm)
    assert wheel.advance(10.0) == 0


def test_one_beyond_the_horizon_comes_early() -> None:
    wheel, alarm = Wheel(now_s=0.0, tick_s=1.0, slots=8), Alarm()
    wheel.set(alarm, 1_000.0)
    for now in range(1, 9):
        wheel.advance(float(now))
    assert alarm.rung == [7.0]


def test_a_deadline_in_the_past_comes_with_the_next_tick() -> None:
    wheel, alarm = Wheel(now_s=50.0, tick_s=1.0), Alarm()
    wheel.set(alarm, 3.0)
    wheel.advance(51.0)
    assert alarm.rung == [51.0]


def test_after_a_stall_everybody_is_called_once() -> None:
    wheel, alarms = Wheel(now_s=0.0, tick_s=1.0, slots=16), [Alarm() for _ in range(12)]
    for number, alarm in enumerate(alarms):
        wheel.set(alarm, float(number))
    assert wheel.advance(500.0) == 12
    assert all(len(alarm.rung) == 1 for alarm in alarms)


def test_who_sets_itself_again_while_called_comes_again_later() -> None:
    wheel = Wheel(now_s=0.0, tick_s=1.0)

    class Repeating(Alarm):
        def on_time(self, now_s: float) -> None:
            super().on_time(now_s)
            wheel.set(self, now_s + 2.0)

    alarm = Repeating()
    wheel.set(alarm, 1.0)
    for now in range(1, 9):
        wheel.advance(float(now))
    assert alarm.rung == [2.0, 5.0, 8.0]


def test_who_is_cleared_by_another_of_the_same_tick_is_not_called() -> None:
    wheel = Wheel(now_s=0.0, tick_s=1.0)
    alarms: list[Alarm] = []

    class Clearing(Alarm):
        def on_time(self, now_s: float) -> None:
            super().on_time(now_s)
            for alarm in alarms:
                wheel.clear(alarm)

    alarms += [Clearing(), Clearing()]
    for alarm in alarms:
        wheel.set(alarm, 1.0)
    assert wheel.advance(5.0) == 1

"""The tones in what a machine's beeper or sound card was recorded as."""

import array
import wave

# A tone is longer than this; shorter ones are clicks.
_LEAST_SECONDS = 0.04


def heard(path):
    """Frequencies in hertz, in their order; one that sounds on is one."""
    with wave.open(str(path)) as recording:
        rate, channels = recording.getframerate(), recording.getnchannels()
        if recording.getsampwidth() != 2:
            raise ValueError(f"{path.name} has samples of {recording.getsampwidth()} bytes")
        samples = array.array("h", recording.readframes(recording.getnframes()))[::channels]
    tones = []
    for periods in _runs(_edges(samples), rate):
        frequency = rate * len(periods) / sum(periods)
        if sum(periods) >= _LEAST_SECONDS * rate:
            tones.append(round(frequency))
    return tones


def _edges(samples):
    """Where the wave rises through its middle; a beeper makes square waves, a sound card sines."""
    low, high = min(samples, default=0), max(samples, default=0)
    if high - low < 100:
        return []
    middle = (low + high) / 2
    return [at for at in range(1, len(samples)) if samples[at - 1] < middle <= samples[at]]


def _runs(edges, rate):
    """Stretches of periods that are alike."""
    run = []
    for before, at in zip(edges, edges[1:]):
        period = at - before
        if run and not 0.85 < period * len(run) / sum(run) < 1.15:
            yield run
            run = []
        if period < rate / 50:
            run.append(period)
    if run:
        yield run

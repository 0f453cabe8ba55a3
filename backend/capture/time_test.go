package capture

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// slowTime is what a time means, in big integers: floor(ts * unit) + offset, in ns.
func slowTime(resol byte, offset int64, ts uint64) (LocalTime, bool) {
	base := int64(10)
	if resol&0x80 != 0 {
		base = 2
	}
	unit := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(resol&0x7f)), nil)
	ns := new(big.Int).SetUint64(ts)
	ns.Mul(ns, big.NewInt(1e9)).Quo(ns, unit)
	if !ns.IsInt64() {
		return 0, false
	}
	ns.Add(ns, new(big.Int).Mul(big.NewInt(offset), big.NewInt(1e9)))
	if !ns.IsInt64() {
		return 0, false
	}
	return LocalTime(ns.Int64()), true
}

func TestTimeOfEveryResolution(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	times := []uint64{0, 1, 999, 1e6, 1e9, 1767323045678901, 1767323045678901234, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	for range 50 {
		times = append(times, rng.Uint64()>>rng.UintN(64))
	}
	for resol := range 256 {
		for _, offset := range []int64{0, 1, -1, 3600, -maxSeconds, maxSeconds} {
			in := ngInterface{scale: newTimeScale(byte(resol)), offset: offset * 1e9}
			for _, ts := range times {
				got, ok := in.time(ts)
				want, wantOK := slowTime(byte(resol), offset, ts)
				if got != want || ok != wantOK {
					t.Fatalf("if_tsresol %#x, if_tsoffset %d, time %d: got %d %v, want %d %v", resol, offset, ts, got, ok, want, wantOK)
				}
			}
		}
	}
}

func TestResolutionText(t *testing.T) {
	for resol, want := range map[byte]string{
		0: "1 s", 1: "100 ms", 2: "10 ms", 3: "1 ms", 4: "100 µs", 6: "1 µs", 7: "100 ns", 9: "1 ns", 10: "100 ps", 12: "1 ps", 13: "10^-13 s",
		0x80: "1 s", 0x81: "2^-1 s", 0xa0: "2^-32 s",
	} {
		if got := resolutionText(resol); got != want {
			t.Errorf("%#x: got %q, want %q", resol, got, want)
		}
	}
}

package lab

import "time"

var clockTransform = Transform{"clock", "DURATION@CAPTURE", "sets a clock ahead (90s, -3h, 2y)", eachCapture(setClock)}

func setClock(_ *Case, p *Capture, a args) error {
	d, err := duration(a.value)
	p.Clock.Offset += int64(d)
	return err
}

var driftTransform = Transform{"drift", "PPM@CAPTURE", "lets a clock run faster", eachCapture(setDrift)}

func setDrift(_ *Case, p *Capture, a args) error {
	ppm, err := a.float(30)
	p.Clock.PPM += ppm
	return err
}

var stepTransform = Transform{"step", "DURATION@CAPTURE", "lets a clock jump in mid-capture", eachCapture(setStep)}

func setStep(_ *Case, p *Capture, a args) error {
	d, err := duration(a.value)
	if err != nil || len(p.Frames) == 0 {
		return err
	}
	first, last := p.Frames[0].True, p.Frames[len(p.Frames)-1].True
	at := first + int64(float64(last-first)*(0.4+0.2*a.Float64()))
	p.Clock.Steps = append(p.Clock.Steps, Step{at, int64(d / time.Nanosecond)})
	return nil
}

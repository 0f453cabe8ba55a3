package lab

var disorderTransform = Transform{"disorder", "PERCENT@CAPTURE", "records of the file stand out of the order of time, by up to 2 ms", eachCapture(disorder)}

func disorder(_ *Case, p *Capture, a args) error {
	percent, err := a.float(20)
	if err != nil {
		return err
	}
	const reach = 2_000_000 // ns
	for i := 0; i+1 < len(p.Frames); i++ {
		if !a.chance(percent) {
			continue
		}
		j := i
		for j+1 < len(p.Frames) && j < i+4 && p.Frames[j+1].True-p.Frames[i].True < reach {
			j++
		}
		f := p.Frames[i]
		copy(p.Frames[i:j], p.Frames[i+1:j+1])
		p.Frames[j] = f
		i = j
	}
	return nil
}

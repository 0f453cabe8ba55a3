package lab

var snaplenTransform = Transform{"snaplen", "BYTES@CAPTURE", "cuts frames; their length on the wire stays known", eachCapture(setSnaplen)}

func setSnaplen(_ *Case, p *Capture, a args) error {
	n, err := a.integer(96)
	if err != nil {
		return err
	}
	if p.Snaplen == 0 || p.Snaplen > uint32(n) {
		p.Snaplen = uint32(n)
	}
	for _, f := range p.Frames {
		f.Data = f.Data[:min(n, len(f.Data))]
	}
	return nil
}

package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

var (
	// ErrNotCapture: the file is something else, or a capture format that corr doesn't read.
	ErrNotCapture = errors.New("not a capture")
	// ErrEmpty: the file holds not a single byte. A capture that holds no frame is no error of this package.
	ErrEmpty = errors.New("empty")
)

// OpenError says why a file can't be read as a capture, in one line. Err is ErrNotCapture, ErrEmpty or what the
// operating system said.
type OpenError struct {
	File string
	Text string // what is wrong, and what to do
	Err  error
}

func (e *OpenError) Error() string { return e.File + ": " + e.Text }
func (e *OpenError) Unwrap() error { return e.Err }

// TruncatedError says that a capture is cut or damaged. The frames in front of the place were given and are sound.
type TruncatedError struct {
	File     string
	Frame    FrameNo // the frame that is cut or damaged; where InFrame is false, the first one that is missing
	InFrame  bool    // false: between frames, in a block without a frame or in the file's header
	Offset   int64   // bytes; cut: where the data end; damaged: where the damaged record starts
	Unpacked bool    // Offset counts decompressed bytes
	Usable   FrameNo // the last frame in front of the place; 0: none
	Damage   string  // what is wrong with the record; empty: the data end too early
	Err      error   // io.ErrUnexpectedEOF, or what reading or decompressing said
}

func (e *TruncatedError) Error() string {
	place := fmt.Sprintf("byte %d", e.Offset)
	if e.Unpacked {
		place += " when decompressed"
	}
	verb := "ends"
	switch {
	case e.Damage != "":
		verb = "is damaged"
		place += ": " + e.Damage
	case e.Err != nil && !errors.Is(e.Err, io.ErrUnexpectedEOF):
		// The disk failed, or what is compressed is broken.
		verb = "can't be read on"
		place += ": " + e.Err.Error()
	}
	var where string
	switch {
	case e.InFrame && e.Damage != "":
		where = fmt.Sprintf("at frame %d", e.Frame)
	case e.InFrame:
		where = fmt.Sprintf("inside frame %d", e.Frame)
	case e.Frame > 1 && e.Damage != "":
		where = fmt.Sprintf("behind frame %d", e.Frame-1)
	case e.Frame > 1:
		where = fmt.Sprintf("inside a block behind frame %d", e.Frame-1)
	default:
		where = "inside its header"
	}
	what := fmt.Sprintf("%s %s (%s)", verb, where, place)
	switch {
	case e.Usable == 0:
		what += "; no frame is usable"
	case e.Usable == 1:
		what += "; frame 1 is used"
	default:
		what += fmt.Sprintf("; frames 1-%d are used", e.Usable)
	}
	return e.File + ": " + what + "; copy the file again for the rest"
}

func (e *TruncatedError) Unwrap() error { return e.Err }

// openFailure words an error of the operating system.
func openFailure(file string, err error) error {
	text := err.Error()
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		text = "can't be read (" + pathErr.Err.Error() + ")"
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = "there is no such file; check the name and the folder"
	case errors.Is(err, fs.ErrPermission):
		text = "may not be read by this user; change its permissions or copy it"
	}
	return &OpenError{File: file, Text: text, Err: err}
}

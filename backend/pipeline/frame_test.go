package pipeline

import "github.com/corr-dev/corr/backend/capture"

func captureFrame(n uint32) capture.FrameNo { return capture.FrameNo(n) }

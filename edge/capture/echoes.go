package capture

import (
	"context"
	"fmt"
	"time"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// EchoesOptions say how raw echoes of a radar are read and cut. What a person says goes before what the file says.
type EchoesOptions struct {
	DopplerCentroidHz *float64        `yaml:"doppler_centroid_hz" desc:"the Doppler frequency of the middle of the beam in hertz, with its ambiguity, such as -6900; it goes before that of the file and of the echoes"`
	Weighting         EchoesWeighting `yaml:"weighting" desc:"windows on the spectra: lower side lobes for a wider peak"`
	Memory            int64           `yaml:"memory" desc:"bytes that two blocks of lines may take with all that focusing needs; 0: 1 GiB" range:"0 or 16MiB.."`
}

// EchoesWeighting are the windows in range and in azimuth.
type EchoesWeighting struct {
	Range   string `yaml:"range" desc:"kaiser has a beta of 2.5" enum:"none, hamming, kaiser" default:"none"`
	Azimuth string `yaml:"azimuth" desc:"kaiser has a beta of 2.5" enum:"none, hamming, kaiser" default:"none"`
}

// WithDefaults fills in what stands for a default.
func (o EchoesOptions) WithDefaults() EchoesOptions {
	if o.Memory == 0 {
		o.Memory = 1 << 30
	}
	for _, w := range []*string{&o.Weighting.Range, &o.Weighting.Azimuth} {
		if *w == "" {
			*w = "none"
		}
	}
	return o
}

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (o EchoesOptions) Problems(add func(field, message, hint string)) {
	config.Limits(o, EchoesOptions{}, add)
}

// EchoesInfo is what the blocks of one acquisition have in common.
type EchoesInfo struct {
	ID        string
	Path      string // of the YAML file
	Plan      *sar.Plan
	Captured  time.Time // of the first line; where the file does not say, when the echoes were written
	FileBytes int64     // of the echoes
	Facts     []event.SceneFact
}

// EchoesBlock are the lines of a block, as the file has them.
type EchoesBlock struct {
	sar.Block
	Raw   []byte
	Gains []float32 // of each line; nil: 1
}

// Name is the block's name among the tiles of its scene.
func (b EchoesBlock) Name() string { return event.RadarTile(b.Index) }

// EchoesFile is a source that gives an acquisition's blocks of raw lines, in order, each as a Picture with Echoes and
// Block set; one is read while the one before it is worked on. A block that can't be read comes without lines and
// with the reason in Partial; Last repeats the first reason. Run fails for what is no acquisition, or contradicts itself.
type EchoesFile struct {
	path, id string
	options  EchoesOptions
	guard    Guard
}

// NewEchoesFile is the source of the acquisition that the YAML file at path describes.
func NewEchoesFile(path, id string, o EchoesOptions) *EchoesFile {
	return &EchoesFile{path: path, id: id, options: o.WithDefaults()}
}

// Guarded calls g before the echoes are opened and looked at: their Doppler centroid is estimated then.
func (f *EchoesFile) Guarded(g Guard) *EchoesFile {
	f.guard = g
	return f
}

// Name is the scene's id.
func (f *EchoesFile) Name() string { return f.id }

// Run emits the blocks and then Last.
func (f *EchoesFile) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	opened, err := f.guard.begin(ctx, f.id, "", nil)
	if err != nil {
		return fmt.Errorf("echoes %s: %w", f.path, err)
	}
	echoes, info, err := f.open(ctx)
	if err == nil {
		err = info.inspect(ctx, echoes)
	}
	opened()
	if echoes != nil {
		defer echoes.Close()
	}
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	read := make(chan Picture) // one block is in the reader's hand
	done := make(chan struct{})
	go func() { // the one that reads ahead, ended before the file is closed
		defer close(done)
		defer close(read)
		readBlocks(ctx, echoes, info, read)
	}()
	defer func() { stop(); <-done }()

	last := Picture{Stream: f.id, At: info.Captured, Echoes: info, Last: true}
	for p := range read {
		last.Frame++
		if err := emit(ctx, p); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return emit(ctx, last)
}

// readBlocks reads the blocks in order until all are read or ctx ends.
func readBlocks(ctx context.Context, echoes *sar.Echoes, info *EchoesInfo, to chan<- Picture) {
	for i, b := range info.Plan.Blocks {
		p := Picture{Stream: info.ID, At: info.Captured, Frame: int64(i), Echoes: info, Began: time.Now()}
		block, err := readBlock(echoes, info.Plan, b)
		if p.Block = &block; err != nil {
			p.Partial = err.Error()
		}
		select {
		case to <- p:
		case <-ctx.Done():
			return
		}
	}
}

func readBlock(echoes *sar.Echoes, plan *sar.Plan, b sar.Block) (block EchoesBlock, err error) {
	block.Block = b
	from, lines := plan.Stored(b)
	block.Raw, block.Gains, err = echoes.Raw(from, lines)
	return block, err
}

// ReadEchoesBlock reads one block of an acquisition, cut as an EchoesFile with the same options cuts it.
func ReadEchoesBlock(ctx context.Context, path, id string, o EchoesOptions, name string) (Picture, error) {
	echoes, info, err := NewEchoesFile(path, id, o).open(ctx)
	if err != nil {
		return Picture{}, err
	}
	defer echoes.Close()
	for _, b := range info.Plan.Blocks {
		if event.RadarTile(b.Index) == name {
			block, err := readBlock(echoes, info.Plan, b)
			return Picture{Stream: id, At: info.Captured, Echoes: info, Block: &block}, err
		}
	}
	return Picture{}, fmt.Errorf("scene %s has no block %.40q: there are %d", id, name, len(info.Plan.Blocks))
}

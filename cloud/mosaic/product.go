package mosaic

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// Kinds of product.
const (
	sceneProduct  = "scene"
	cameraProduct = "camera"
)

// Product is the data of an item of kind product, as JSON: what was made of a scene or a camera's
// record, and how much of it is there. The product of a scene's last state has the same item id
// however often it is made.
type Product struct {
	Kind     string   `json:"kind"` // scene or camera
	Name     string   `json:"name"` // the scene's id or the camera
	Edge     string   `json:"edge,omitempty"`
	Folder   string   `json:"folder"`   // below the product store's root
	Files    []string `json:"files"`    // in the folder
	Complete bool     `json:"complete"` // nothing is missing
	Missing  []string `json:"missing"`  // tiles, or ranges of frames, that have not come; the first 10,000
	Lacking  int      `json:"lacking"`  // how many they are in all
	Of       string   `json:"of"`       // id of the manifest, or of the record's first or last batch
	Models   []string `json:"models"`   // name and version of each model that took part
	Seconds  float64  `json:"seconds"`  // since the first of it came
	// Failed says why nothing could be made of what came. Then there are no files.
	Failed string `json:"failed,omitempty"`

	Scene  *SceneStats  `json:"scene,omitempty"`
	Camera *CameraStats `json:"camera,omitempty"`
	// Radar is set beside Scene of a scene of raw radar echoes, whose tiles are blocks of lines.
	Radar *RadarStats `json:"radar,omitempty"`
}

// SceneStats say what became of a scene's tiles.
type SceneStats struct {
	Width      int            `json:"width"`
	Height     int            `json:"height"`
	Tiles      int            `json:"tiles"`
	Sent       int            `json:"sent"`
	Results    int            `json:"results"`
	EdgeMasks  int            `json:"edge_masks,omitempty"` // results that are the device's own masks, in place of pixels
	Dead       int            `json:"dead"`                 // in the dead letters
	Dropped    map[string]int `json:"dropped"`              // by the edge, by reason
	SceneBytes int64          `json:"scene_bytes"`
	Refined    int            `json:"refined,omitempty"` // results of tiles of which the rest came, too: without loss
	// Precision is by how much a pixel that was sent may be off, in reflectance; 0: not at all.
	Precision     float64 `json:"precision,omitempty"`
	UplinkedBytes int64   `json:"uplinked_bytes"`
	// CloudFraction is the share of cloud among the valid pixels that somebody judged: of tiles that
	// a model saw, by its mask; of tiles that the edge dropped as cloud, by the edge's own share.
	// Null when there is no such pixel.
	CloudFraction *float64 `json:"cloud_fraction"`
	// NotJudged is the share of the pixels of the mask, those without data aside, of which nobody said what they
	// show: 254 in mask.tif. JudgedByEdge and JudgedByCloud are the shares whose class the device's own mask, and
	// a model of the cloud, decided; the three add up to 1. Null of scenes without a mask or without any data.
	NotJudged     *float64 `json:"not_judged,omitempty"`
	JudgedByEdge  *float64 `json:"judged_by_edge,omitempty"`
	JudgedByCloud *float64 `json:"judged_by_cloud,omitempty"`
	// Screening is the rule or network that screened the scene's tiles on the device.
	Screening string `json:"screening,omitempty"`
	// Facts are what the device's reading of the scene rested on.
	Facts []event.SceneFact `json:"facts,omitempty"`
	// Objects is how many were found, of a scene whose tiles were looked at for objects.
	Objects *int `json:"objects,omitempty"`
}

// CameraStats say what a camera's record holds.
type CameraStats struct {
	Frames     int  `json:"frames"`
	Detections int  `json:"detections"` // down to the score floor of the model
	Events     int  `json:"events"`     // of tracks
	Annotated  int  `json:"annotated"`
	Ended      bool `json:"ended"` // the source came to its end
	// LookedAgain is how many pictures a larger model looked at again, whose detections are therefore
	// its own; LooksFailed, of how many it was asked in vain: second_looks.json says why.
	LookedAgain int         `json:"looked_again,omitempty"`
	LooksFailed int         `json:"looks_failed,omitempty"`
	Epoch       event.Epoch `json:"epoch,omitempty"`
	Through     uint64      `json:"through"` // when complete: items of the epoch up to this number are in it
}

// item is the product as it is announced. The id depends on what it says, except the time it took.
func (p Product) item(of ulid.ULID, at time.Time) (event.Item, error) {
	p.Lacking = len(p.Missing)
	p.Missing = p.Missing[:min(p.Lacking, maxMissing)]
	still := p
	still.Seconds = 0
	state, err := json.Marshal(still)
	if err != nil {
		return event.Item{}, fmt.Errorf("writing product %s: %w", p.Name, err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return event.Item{}, fmt.Errorf("writing product %s: %w", p.Name, err)
	}
	item := event.Item{
		ID: event.ResultID(of, "mosaic", event.Sum(state).String()), Edge: p.Edge, Kind: event.Product,
		Stream: p.Name, Subject: p.Name, Time: at.UTC(), Priority: event.High,
		Type: "application/json", SHA256: event.Sum(data), Data: data,
	}
	if p.Kind == sceneProduct {
		item.Attrs.Scene = p.Name
	}
	return item, nil
}

// maxMissing keeps an announcement well below what a record may hold. The files name all of them.
const maxMissing = 10_000

// ParseProduct reads the data of an item of kind product.
func ParseProduct(i event.Item) (Product, error) {
	var p Product
	if i.Kind != event.Product {
		return p, fmt.Errorf("%w: a %s is not a product", event.ErrMalformed, i.Kind)
	}
	if err := json.Unmarshal(i.Data, &p); err != nil {
		return p, fmt.Errorf("%w: product: %w", event.ErrMalformed, err)
	}
	return p, nil
}

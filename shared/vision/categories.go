package vision

import (
	"cmp"
	"maps"
	"slices"
)

// Category is a line of categories.json, as in COCO's annotation format.
type Category struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// maxCategories bounds what is kept of detections that come from outside.
const maxCategories = 1 << 16

// CategoryList gathers what the category ids of a file of detections mean. The zero value is ready.
type CategoryList struct {
	names map[int]string
	ids   map[string]int
	last  int
}

// Add is the id under which a label stands in the file: the one that its model gave it, unless another
// model's label has that already. Then it is the next that is free.
func (c *CategoryList) Add(id int, label string) int {
	if c.names == nil {
		c.names, c.ids = map[int]string{}, map[string]int{}
	}
	if known, ok := c.ids[label]; ok {
		return known
	}
	if len(c.names) >= maxCategories {
		return id
	}
	if _, taken := c.names[id]; taken {
		id = max(c.last, cocoLast) + 1
	}
	c.names[id], c.ids[label] = label, id
	c.last = max(c.last, id)
	return id
}

// cocoLast is the last of COCO's ids: none of a label that comes later is taken for one that has none.
const cocoLast = 90

// List is sorted by id, never nil.
func (c *CategoryList) List() []Category {
	list := make([]Category, 0, len(c.names))
	for _, id := range slices.SortedFunc(maps.Keys(c.names), cmp.Compare[int]) {
		list = append(list, Category{id, c.names[id]})
	}
	return list
}

package download

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// table holds the records of a plan's tasks in the order of its list, and finds
// them by ID. A Go map from IDs to records would take more memory than all the
// rest.
type table struct {
	records []record
	// ids are the IDs of all records, one after the other.
	ids []byte
	// index finds records by a hash of the ID: open addressing, linear probing,
	// place+1, 0 where it is free.
	index []int32
	// named counts the records with an ID. Only these are in the index.
	named int
}

var seed = maphash.MakeSeed()

// id returns a record's ID, valid until the table changes.
func (t *table) id(r *record) []byte { return t.ids[r.id : r.id+uint32(r.idLen)] }

// find returns the place of a task, -1 if there is none.
func (t *table) find(id string) int32 {
	if len(t.index) == 0 {
		return -1
	}
	for i := t.home(maphash.String(seed, id)); t.index[i] != 0; i = t.next(i) {
		place := t.index[i] - 1
		if string(t.id(&t.records[place])) == id {
			return place
		}
	}
	return -1
}

// get returns the record of a task, nil if there is none.
func (t *table) get(id string) *record {
	if place := t.find(id); place >= 0 {
		return &t.records[place]
	}
	return nil
}

// add adds a task that the table lacks at the end.
func (t *table) add(id string, r record) {
	r.id, r.idLen = uint32(len(t.ids)), uint16(len(id))
	t.ids = append(t.ids, id...)
	t.records = append(t.records, r)
	if id == "" {
		return
	}
	if t.named++; indexSize(t.named) > len(t.index) {
		t.reindex(2 * indexSize(t.named))
	} else {
		t.enter(int32(len(t.records) - 1))
	}
}

// set replaces a record by another one of the same task.
func (t *table) set(place int32, r record) {
	old := &t.records[place]
	r.id, r.idLen = old.id, old.idLen
	*old = r
}

// indexSize returns how large an index must be, for a quarter of it to be free.
func indexSize(named int) int { return named*4/3 + 1 }

// home returns where in the index a hash belongs, next what comes after i.
func (t *table) home(hash uint64) int {
	i, _ := bits.Mul64(hash, uint64(len(t.index)))
	return int(i)
}

func (t *table) next(i int) int {
	if i++; i == len(t.index) {
		return 0
	}
	return i
}

// reindex makes an index of this size.
func (t *table) reindex(size int) {
	if size == len(t.index) {
		clear(t.index)
	} else {
		t.index = make([]int32, size)
	}
	for place := range t.records {
		if t.records[place].idLen > 0 {
			t.enter(int32(place))
		}
	}
}

func (t *table) enter(place int32) {
	i := t.home(maphash.Bytes(seed, t.id(&t.records[place])))
	for t.index[i] != 0 {
		i = t.next(i)
	}
	t.index[i] = place + 1
}

// grow makes room for more records with IDs of so many bytes in all.
func (t *table) grow(records, bytes int) {
	t.records = slices.Grow(t.records, records)
	t.ids = slices.Grow(t.ids, bytes)
	if size := indexSize(t.named + records); size > len(t.index) {
		t.reindex(max(size, 2*len(t.index)))
	}
}

// remove takes out the records at these places, which are sorted. It allocates
// nothing.
func (t *table) remove(places []int32) {
	records, ids := t.records[:0], t.ids[:0]
	t.named = 0
	for place := range t.records {
		if len(places) > 0 && places[0] == int32(place) {
			places = places[1:]
			continue
		}
		r := t.records[place]
		// IDs are in the order of the records, so none is overwritten before it
		// has moved.
		id := t.id(&r)
		r.id = uint32(len(ids))
		ids = append(ids, id...)
		records = append(records, r)
		if r.idLen > 0 {
			t.named++
		}
	}
	t.records, t.ids = records, ids
	t.reindex(len(t.index))
}

// fit returns a copy without the room that growing has left over, but for some
// new tasks; reversed, the last record comes first.
func (t *table) fit(reversed bool) table {
	room := len(t.records) / 64
	fitted := table{
		records: make([]record, 0, len(t.records)+room),
		ids:     make([]byte, 0, len(t.ids)+len(t.ids)/64),
		named:   t.named,
	}
	for i := range t.records {
		r := t.records[i]
		if reversed {
			r = t.records[len(t.records)-1-i]
		}
		id := t.id(&r)
		r.id = uint32(len(fitted.ids))
		fitted.ids = append(fitted.ids, id...)
		fitted.records = append(fitted.records, r)
	}
	fitted.reindex(indexSize(t.named + room))
	return fitted
}

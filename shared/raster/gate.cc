// The gate before the formats whose bytes can name other files (see gate.go).
#include <dlfcn.h>
#include <mutex>
#include <set>
#include <string>

#include <gdal_priv.h>

#include "gate.h"

namespace {

std::mutex guard;
std::multiset<std::string> allowed;

// fileOf is the file that one of GDAL's names is about: all of it, or what stands between quotes.
std::string fileOf(const char *name) {
	std::string s(name);
	size_t from = s.find(":\"");
	if (from == std::string::npos) return s;
	size_t to = s.find('"', from + 2);
	return to == std::string::npos ? std::string() : s.substr(from + 2, to - from - 2);
}

typedef int64_t hid; // hid_t since HDF5 1.10

template <typename F> F symbol(const char *name) { return reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name)); }

// quiet keeps HDF5 from printing; it is a setting of each thread.
void quiet() {
	auto set = symbol<int (*)(hid, void *, void *)>("H5Eset_auto2");
	if (set) set(0, nullptr, nullptr);
}

typedef GDALDataset *(*Open)(GDALOpenInfo *);
Open openers[3];
const char *const gated[3] = {"netCDF", "HDF5", "HDF5Image"};

template <int N> GDALDataset *gate(GDALOpenInfo *info) {
	{
		std::lock_guard<std::mutex> lock(guard);
		if (allowed.count(fileOf(info->pszFilename)) == 0) return nullptr;
	}
	quiet();
	return openers[N](info);
}

const Open gates[3] = {gate<0>, gate<1>, gate<2>};

struct Walk {
	hid file;
	long left;
	int found;
};

// object looks at how one object keeps its data, before anything reads it.
int object(hid, const char *name, const void *, void *data) {
	Walk *w = static_cast<Walk *>(data);
	if (w->left-- <= 0) {
		w->found = CANVAS_HDF_LARGE;
		return 1;
	}
	static auto open = symbol<hid (*)(hid, const char *, hid)>("H5Oopen");
	static auto shut = symbol<int (*)(hid)>("H5Oclose");
	static auto kind = symbol<int (*)(hid)>("H5Iget_type");
	static auto plan = symbol<hid (*)(hid)>("H5Dget_create_plist");
	static auto files = symbol<int (*)(hid)>("H5Pget_external_count");
	static auto layout = symbol<int (*)(hid)>("H5Pget_layout");
	static auto end = symbol<int (*)(hid)>("H5Pclose");
	if (!open || !shut || !kind || !plan || !files || !layout || !end) {
		w->found = CANVAS_HDF_UNKNOWN;
		return 1;
	}
	hid at = open(w->file, name, 0);
	if (at < 0) {
		w->found = CANVAS_HDF_BROKEN;
		return 1;
	}
	if (kind(at) == 5) { // H5I_DATASET
		hid p = plan(at);
		int n = p < 0 ? -1 : files(p), how = p < 0 ? -1 : layout(p);
		if (p >= 0) end(p);
		if (n != 0)
			w->found = n < 0 ? CANVAS_HDF_BROKEN : CANVAS_HDF_ELSEWHERE;
		else if (how < 0 || how > 2) // 0 … 2: in the file itself; 3: made of other datasets
			w->found = how < 0 ? CANVAS_HDF_BROKEN : CANVAS_HDF_ELSEWHERE;
	}
	shut(at);
	return w->found != CANVAS_HDF_GOOD;
}

}  // namespace

extern "C" int canvas_gate(const char *name) {
	for (int i = 0; i < 3; i++) {
		if (strcmp(name, gated[i]) != 0) continue;
		GDALDriver *driver = GetGDALDriverManager()->GetDriverByName(name);
		if (driver == nullptr || driver->pfnOpen == nullptr || driver->pfnOpen == gates[i]) return driver != nullptr;
		// The class of links that lead to other files is taken out of HDF5: nothing in this process follows one.
		auto begin = symbol<int (*)()>("H5open");
		auto drop = symbol<int (*)(int)>("H5Lunregister");
		auto known = symbol<int (*)(int)>("H5Lis_registered");
		if (!begin || !drop || !known || begin() < 0) return 0;
		quiet();
		if (known(64) > 0 && drop(64) < 0) return 0; // H5L_TYPE_EXTERNAL
		if (known(64) != 0) return 0;
		openers[i] = driver->pfnOpen;
		driver->pfnOpen = gates[i];
		driver->pfnOpenWithDriverArg = nullptr;
		return 1;
	}
	return 1;
}

extern "C" void canvas_allow(const char *file) {
	std::lock_guard<std::mutex> lock(guard);
	allowed.insert(file);
}

extern "C" void canvas_forbid(const char *file) {
	std::lock_guard<std::mutex> lock(guard);
	auto at = allowed.find(file);
	if (at != allowed.end()) allowed.erase(at);
}

extern "C" int canvas_hdf_check(const char *path, long most) {
	auto open = symbol<hid (*)(const char *, unsigned, hid)>("H5Fopen");
	auto shut = symbol<int (*)(hid)>("H5Fclose");
	typedef int (*Visit)(hid, int, int, int (*)(hid, const char *, const void *, void *), void *);
	auto visit = symbol<Visit>("H5Ovisit1");
	if (!visit) visit = symbol<Visit>("H5Ovisit");
	if (!open || !shut || !visit) return CANVAS_HDF_UNKNOWN;
	quiet();
	hid file = open(path, 0, 0);
	if (file < 0) return CANVAS_HDF_BROKEN;
	Walk w{file, most, CANVAS_HDF_GOOD};
	int ended = visit(file, 0, 2, object, &w); // by name, in the order that is fastest
	shut(file);
	return ended < 0 && w.found == CANVAS_HDF_GOOD ? CANVAS_HDF_BROKEN : w.found;
}

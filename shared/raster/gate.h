#ifdef __cplusplus
extern "C" {
#endif

enum { CANVAS_HDF_GOOD, CANVAS_HDF_ELSEWHERE, CANVAS_HDF_LARGE, CANVAS_HDF_BROKEN, CANVAS_HDF_UNKNOWN };

// canvas_gate puts the gate before a format that needs one; 0: it can't, and the format must go.
int canvas_gate(const char *driver);

// canvas_allow lets the gated formats open a file, until canvas_forbid has been called as often.
void canvas_allow(const char *file);
void canvas_forbid(const char *file);

// canvas_hdf_check says whether all data of an HDF5 file lie in the file.
int canvas_hdf_check(const char *path, long most_objects);

#ifdef __cplusplus
}
#endif

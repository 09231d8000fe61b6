/* What cuDNN needs of CUDA's driver to plan for a GPU that is only described: a driver that has no
 * device, and takes every kernel that is compiled for one. Nothing can be run with it. */
#include <stddef.h>

enum { done = 0, no_device = 100 };

static int something;

/* What is made here is not looked at by anybody. */
#define MAKES(name)       \
  int name(void** made) { \
    *made = &something;   \
    return done;          \
  }
#define TELLS(name, number) \
  int name(int* told) {     \
    *told = number;         \
    return done;            \
  }
#define ACCEPTS(name) \
  int name(void) { return done; }

int cuInit(unsigned flags) {
  (void)flags;
  return no_device;
}

TELLS(cuDriverGetVersion, 13000)
TELLS(cuKernelGetAttribute, 1)
TELLS(cuFuncGetAttribute, 1)

MAKES(cuLibraryLoadData)
MAKES(cuLibraryGetKernel)
MAKES(cuModuleGetFunction)

ACCEPTS(cuCtxGetCurrent)
ACCEPTS(cuCtxGetDevice)
ACCEPTS(cuCtxGetLimit)
ACCEPTS(cuCtxPopCurrent)
ACCEPTS(cuCtxPushCurrent)
ACCEPTS(cuDeviceGet)
ACCEPTS(cuDeviceGetAttribute)
ACCEPTS(cuDeviceGetCount)
ACCEPTS(cuDevicePrimaryCtxRelease)
ACCEPTS(cuDevicePrimaryCtxReset)
ACCEPTS(cuDevicePrimaryCtxRetain)
ACCEPTS(cuFuncSetAttribute)
ACCEPTS(cuGetErrorName)
ACCEPTS(cuGetErrorString)
ACCEPTS(cuKernelSetAttribute)
ACCEPTS(cuLaunchCooperativeKernel)
ACCEPTS(cuLaunchKernel)
ACCEPTS(cuLaunchKernelEx)
ACCEPTS(cuLibraryLoadFromFile)
ACCEPTS(cuLibraryUnload)
ACCEPTS(cuLinkAddData)
ACCEPTS(cuLinkAddData_v2)
ACCEPTS(cuLinkAddFile_v2)
ACCEPTS(cuLinkComplete)
ACCEPTS(cuLinkCreate)
ACCEPTS(cuLinkCreate_v2)
ACCEPTS(cuLinkDestroy)
ACCEPTS(cuMemcpyDtoH_v2)
ACCEPTS(cuModuleGetGlobal_v2)
ACCEPTS(cuModuleLoadData)
ACCEPTS(cuModuleLoadDataEx)
ACCEPTS(cuModuleLoadFatBinary)
ACCEPTS(cuModuleUnload)
ACCEPTS(cuOccupancyMaxActiveBlocksPerMultiprocessor)
ACCEPTS(cuOccupancyMaxPotentialClusterSize)
ACCEPTS(cuStreamGetCtx)
ACCEPTS(cuStreamSynchronize)
ACCEPTS(cuTensorMapEncodeTiled)

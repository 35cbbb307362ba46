// Stands in for NVML on a host that has none: what nvidia-ctk 1.17.9 asks it, answered for the two GPUs of ToolkitHost.swift.
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };

// A GPU, or with a parent an instance of one.
typedef struct device {
  const char *uuid, *bus;
  unsigned bus_number, minor, gpu_instance, compute_instance;
  struct device *parent;
} device;

static device gpus[] = {
  {.uuid = "GPU-11111111-2222-3333-4444-555555555555", .bus = "00000000:17:00.0", .bus_number = 0x17, .minor = 0},
  {.uuid = "GPU-66666666-7777-8888-9999-000000000000", .bus = "00000000:65:00.0", .bus_number = 0x65, .minor = 1},
};
static device instances[] = {
  {.uuid = "MIG-aaaaaaaa-0001-5000-8000-000000000001", .gpu_instance = 1, .parent = &gpus[1]},
  {.uuid = "MIG-aaaaaaaa-0002-5000-8000-000000000002", .gpu_instance = 2, .parent = &gpus[1]},
};

static int copy(char *to, const char *from, unsigned size) {
  strncpy(to, from, size);
  return SUCCESS;
}

int nvmlInit_v2(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int status) { return status == SUCCESS ? "success" : "an error of the stand-in"; }
int nvmlSystemGetDriverVersion(char *version, unsigned size) { return copy(version, "550.54.14", size); }

int nvmlDeviceGetCount_v2(unsigned *count) {
  *count = sizeof gpus / sizeof gpus[0];
  return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **found) {
  if (index >= sizeof gpus / sizeof gpus[0]) return INVALID_ARGUMENT;
  *found = &gpus[index];
  return SUCCESS;
}

int nvmlDeviceGetName(device *device, char *name, unsigned size) { return copy(name, "NVIDIA A100-PCIE-40GB", size); }
int nvmlDeviceGetUUID(device *device, char *uuid, unsigned size) { return copy(uuid, device->uuid, size); }

int nvmlDeviceGetMinorNumber(device *device, unsigned *minor) {
  if (device->parent) return NOT_SUPPORTED;
  *minor = device->minor;
  return SUCCESS;
}

// nvmlPciInfo_t.
typedef struct {
  char legacy_bus_id[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
} pci_info;

int nvmlDeviceGetPciInfo_v3(device *device, pci_info *info) {
  memset(info, 0, sizeof *info);
  info->bus = device->bus_number;
  info->device_id = 0x20f110de;
  strcpy(info->bus_id, device->bus);
  strcpy(info->legacy_bus_id, device->bus + 4);
  return SUCCESS;
}

int nvmlDeviceGetMigMode(device *device, unsigned *current, unsigned *pending) {
  *current = *pending = device == &gpus[1];
  return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(device *device, unsigned *count) {
  *count = 7;
  return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device *parent, unsigned index, device **found) {
  if (parent != &gpus[1] || index >= sizeof instances / sizeof instances[0]) return NOT_FOUND;
  *found = &instances[index];
  return SUCCESS;
}

int nvmlDeviceIsMigDeviceHandle(device *device, unsigned *is_instance) {
  *is_instance = device->parent != 0;
  return SUCCESS;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device *instance, device **parent) {
  *parent = instance->parent;
  return SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(device *instance, unsigned *number) {
  *number = instance->gpu_instance;
  return SUCCESS;
}

int nvmlDeviceGetComputeInstanceId(device *instance, unsigned *number) {
  *number = instance->compute_instance;
  return SUCCESS;
}

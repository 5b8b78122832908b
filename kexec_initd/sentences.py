"""The sentences in which Python and plain shell say why a reboot is cold. `{}` stands for what each fills in.

The templates are filled with them as well, so that both sides say the same.
"""

# decision
COLD_ONCE = "asked for by /no-kexec-reboot"
SWITCHED_OFF = "KEXEC=no in the settings"
NOT_UNDERSTOOD = "{}, line {}: {}; correct it as kexec-initd(5) says"
IS_NO_LINE = "{} is not understood"
IS_NO_VALUE = "{}={} is {}"
IS_NO_SETTING = "the setting {} is unknown, it may mean {}"
IGNORED = "settings ignored: {}"
NO_DROP_INS = "{} is no directory that only root can change, or cannot be read"
NO_DROP_IN = "a drop-in is named NAME.conf, with letters, digits and _.@+- alone"
TOO_MANY = "{} holds more than {} drop-ins"
HAS_NUL = "{} holds a NUL byte"
IS_TOO_LARGE = "{} is larger than {} bytes"
OVERTAKEN = "a kernel package or an initramfs has changed while the machine shuts down"

# system
CONTAINER = "this is a container ({})"
NAMESPACE = "a process namespace of its own"
CHROOT = "this is a chroot, or /proc is not mounted"
UNHOOKED = "the running init system is {}, in which kexec-initd is not hooked"
PLATFORM = "this is {}: {} (FORCE_PLATFORM=yes lifts this)"
UNTRIED = "kexec-initd was tried on x86 only"
NOT_REGULAR = "is not a regular file"
NOT_ROOTS = "belongs to user {}, not to root"
WRITABLE = "can be written by others than its owner (mode {})"
FAILED = "failed with exit code {}"
LEFT_OUT = "{} is left out: {}"
ODD_NAME = "its name has characters other than letters, digits, _ and -"
OUTSIDE_SHUTDOWN = "the runlevel is {}, not 6"
NO_MOUNTS = "/proc/mounts cannot be read"
STILL_WRITABLE = "{} is still writable"

# kexec
CAPTURE = "the running kernel was started by a panic, in the memory reserved for that"
NO_PROGRAM = "the program kexec is missing (package kexec-tools)"
NOT_BUILT = "the kernel was built without CONFIG_KEXEC"
NO_KEXEC = "the kernel has no kexec (/sys/kernel/kexec_loaded is missing)"
DISABLED = "loading is disabled until the next boot (sysctl kernel.kexec_load_disabled)"
USED_UP = "no more loads are allowed until the next boot (sysctl kernel.kexec_load_limit_reboot)"
LOCKED_DOWN = "the kernel is locked down"
SIGNED_ONLY = "the kernel takes signed kernels only (CONFIG_KEXEC_SIG_FORCE)"
SECURE_BOOT = "Secure Boot is on"
TOO_LONG = "the command line has {} bytes, the kernel takes {}"
REMOVED = "kexec-initd was removed"
SHUTTING_DOWN = "the machine is shutting down"
NOTHING_LOADED = "no kernel is loaded"
NO_MODULE = "REMOVE_MODULES names no module: {}"
STUCK_MODULE = "the module {} could not be removed: in use by {}"

# install
GONE = "{} is gone"
NOT_OURS = "{} is not our script"
CHANGED = "{}, ours, was changed"
NOT_EXECUTABLE = "{} is not executable"

# cmdline
ONE_OFF = 'the running command line has "{}", which is for one boot only'
OPEN_QUOTE = "nothing can be appended to a command line that leaves a quote open"

# bootloader
NO_KERNEL = "the kernel {} is missing"
NO_INITRD = "the initrd {} is missing"
BOOT_NEXT = "the firmware has a wish for one boot only (BootNext)"
INDICATED = "the firmware is asked for {} (OsIndications)"
KEY_REQUEST = "a request of mokutil waits to be confirmed at the next boot (Mok{})"
CAPSULE = "a firmware update waits in {}"
FWUPD = "a firmware update of fwupd waits for the next boot ({})"
ON_TRIAL = "an update of the whole system is on trial ({})"
NOT_COMPLETE = "an update of the whole system is not complete ({})"

# images
CUT = "it is cut: its header says {} bytes, but the file has {}"
SIGNATURE_CUT = "it is cut: its signature is not there, the file has {} bytes"
ODD_PROTOCOL = "boot protocol {} is not one whose size can be checked"
WRONG_PROTOCOL = "Linux {} cannot have boot protocol {}"
DAMAGED = "it is damaged: its CRC-32 is {}, not 0xffffffff"
ZIMAGE = "it is a zImage, which kexec cannot load"
ODD_ENTRY = "cpio entry {} has a damaged header"
ODD_ENTRY_NAME = "cpio entry {} has a damaged name"
MISNAMED = "it is the kernel {}, and not {} as its name says"
FOREIGN_MODULES = "its modules are of kernel {}, not of {}"
NO_INIT = "no program /init is there, as when only microcode is"

# history
GUARD_CLOSED = "attempt {} (kernel {}) {}; kexec again after {}, with another target, or {}"
NEVER_ARRIVED = "never arrived"
ARRIVED_UNFIT = "failed: {}"
MAX_KEXECS = "{} kexecs since the last firmware boot (MAX_KEXECS={})"
MAX_DAYS = "the last firmware boot was {} days ago (MAX_DAYS={})"
TRIAL = "on trial, {} of {} kexecs have arrived; when you can watch, {} makes the next reboot one"
NO_ROUTE = "there is no default route"

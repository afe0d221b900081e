// What the other verbs must know of the device manager.
#pragma once

namespace ros {

// Returns when udev is done with what was written so far; without udev, at once; after a minute in
// any case. To be called between writing to a disk and using its partitions: udev has the kernel
// read the table anew whenever somebody closes a disk that was open for writing, and while it does
// (BLKRRPART) the partitions that nobody has open are gone.
void settle_udev();

}  // namespace ros

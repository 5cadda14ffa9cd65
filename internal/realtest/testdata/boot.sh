#!/bin/sh
# boot.sh TREE CGROUP: boots the Debian in TREE, with systemd as process 1 of namespaces that end with it. It has the
# network of this machine, none of its devices but the harmless ones, and cannot change the kernel's settings.
# Run it by "unshare --mount". CGROUP is the new group of its processes.
set -e
mount -t cgroup2 cgroup2 "$1/mnt"
mkdir "$1/mnt/$2"
echo $$ >"$1/mnt/$2/cgroup.procs"
umount "$1/mnt"
# A test that is killed leaves nothing running behind.
exec setpriv --pdeathsig KILL unshare --cgroup --pid --fork --kill-child --mount --uts --ipc sh -c '
set -e
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  cp --archive /dev/$device dev/
done
mkdir dev/shm dev/pts dev/mqueue dev/hugepages
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . mnt
umount -l mnt
mount --make-rshared / # as systemd expects of a container, for the credentials of services
exec env -i container=realtest PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=basic.target --log-target=journal
' sh "$1"

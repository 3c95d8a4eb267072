# The demo of a migration; read by scripts/demo, with its functions and variables.

# Hashes every blob of every repository that the mount shows, over and over, until it is told to end;
# what is wrong goes to a file.
read_on() {
  local file sum
  until [ -e enough ]; do
    find mnt -path '*/blobs/*' -type f >blobs || echo 'a directory could not be listed' >>wrong
    while read -r file; do
      sum=$(sha256sum "$file" 2>>wrong) || continue
      [ "${sum%% *}" = "${file##*/}" ] || echo "$file has other bytes" >>wrong
      echo >>reads
    done <blobs
  done
}

title 'A registry as zot dedupes it: each blob once, and empty objects in the other repositories'
[ $s3 = yes ] || show 'find bucket -path "*/blobs/*" -type f | wc -l; find bucket -path "*/blobs/*" -type f -empty | wc -l'
show "layoutfs check $source" || true

title 'A mount of it, read all the time from now on'
show "layoutfs mount $source mnt"
: >wrong
: >reads
read_on &
reader=$!

title 'What a migration to one shared directory would do'
show "layoutfs migrate --to shared $source"

title 'Do it, with the registry stopped and the mount in use'
show "layoutfs migrate --to shared --apply --registry-stopped $source | tail -1"
[ $s3 = yes ] || show 'find bucket -path "*/blobs/*" -type f | cut -d/ -f2-3 | sort | uniq -c'
show 'skopeo copy --quiet oci:mnt/library/busybox:1.35 dir:copied && ls copied'

title 'And back: every object as it was'
show "layoutfs rollback --apply --registry-stopped $source | tail -1"
[ $s3 = yes ] || show 'find bucket -path "*/blobs/*" -type f | wc -l; find bucket -path "*/blobs/*" -type f -empty | wc -l'
show "layoutfs check $source | tail -1" || true

title 'What the reader saw meanwhile'
touch enough
wait $reader
show 'echo "$(wc -l <reads) blobs read and right, $(wc -l <wrong) errors"; cat wrong'
show 'layoutfs umount mnt'
[ ! -s wrong ]

# Becomes a command in a mount namespace whose /opt is that of an image, with what the machine has
# there beside it:
#
#     unshare --map-root-user --mount sh image.sh DIRECTORY COMMAND…
#
# DIRECTORY/opt is what the image has; the directory belongs to one image only.
image=$1
shift
mkdir "$image/hidden" && mount --rbind /opt "$image/hidden" || exit
for entry in "$image"/hidden/*; do
    name=${entry##*/}
    [ "$name" = extensions ] || [ ! -e "$entry" ] || ln -s "$entry" "$image/opt/$name" || exit
done
mount --bind "$image/opt" /opt && exec "$@"

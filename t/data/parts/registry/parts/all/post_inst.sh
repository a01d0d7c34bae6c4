# What an author's script may rely on, and what it must not see.
echo "post_inst: in $(pwd), hello is $(hello)"
echo "post_inst: $(/opt/view/bin/app), built with $(/opt/view/bin/maker)"
echo "post_inst: examples in $(ls -d /tmp/*/spack-stage/spack-stage-app-*/spack-src/examples | wc -l) stage"
echo "post_inst: pip has $(ls -d /usr/local/lib/python3*/dist-packages/cicgreet* 2> /dev/null | wc -l) files"
echo "post_inst: cache $(ls -d /run/cic/cache/* 2> /dev/null | wc -l) mounted $(grep -c /run/cic/cache /proc/self/mountinfo)"

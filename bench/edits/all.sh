# Every stage in order: what a clean build is.
set -e
python src/prepare.py data/raw.csv build/days/1.csv build/days/2.csv build/days/3.csv
for day in 1 2 3; do python src/features.py build/days/$day.csv build/features/$day.csv; done
penalty() { sed -n "/^  $1:/,/penalty/s/.*penalty: //p" params.yaml; }
for model in linear ridge; do
    python src/train.py $model "$(penalty $model)" build/$model.json build/features/1.csv build/features/2.csv \
        build/features/3.csv
done
python src/evaluate.py build/scores.json build/linear.json build/ridge.json
